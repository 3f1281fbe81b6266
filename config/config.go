// Package config reads NANO's configuration: nano.toml, the apps.d folder
// beside it, and the apps.d folder of the state directory, which holds what was
// added through the admin API. It owns the schema, the defaults, validation
// with the position of every problem, the search for an app's entry, the
// writing of apps to the state directory, and the watching of files. It starts
// nothing and bundles nothing, and it reads secrets only when it is asked to.
package config

import (
	"net/netip"
	"reflect"
	"time"

	"github.com/nano-runtime/nano/vhost"
)

// Options say what to load.
type Options struct {
	Path     string // of nano.toml
	StateDir string // whose apps.d folder belongs to the admin API; "": there is none

	// Put and Remove load the configuration as it would be after a write of
	// the admin API: with this app in the state directory, or without the one
	// of that name.
	Put    *Draft
	Remove string
}

// A Config is a whole configuration. It is not changed after it was loaded.
type Config struct {
	Path   string // of nano.toml, as it was given
	Server Server
	Apps   []App // by name

	// Files are the absolute paths of the files that were read and the folders
	// that were listed: what to watch, beside the apps' roots.
	Files []string
}

// Server is the [server] table.
type Server struct {
	Listen         []string // host:port, for when systemd passes no socket
	Admin          string   // absolute path of the admin socket
	Log            string   // "auto", "journal", "json" or "text"
	AccessLog      float64  // share of requests that get an access line: 1 all, 0 none
	DrainTimeout   time.Duration
	Watch          bool           // whether changed files are to be noticed
	TrustedProxies []netip.Prefix // the zero one: peers on unix sockets
}

// App is one app, with what it takes from [defaults] and from its own files.
type App struct {
	Name     string
	Hosts    []vhost.Pattern
	Root     string // absolute path of its folder
	Entry    string // absolute path of its entry module; "": it is assets alone
	Assets   string // absolute path of its static files; "": it has none
	NotFound string // what assets answer for a path without a file: "", "404-page" or "single-page-application"
	Default  bool   // whether it takes the hosts that nobody claims
	Enabled  bool

	Env     map[string]any // as encoding/json takes it
	Secrets map[string]SecretRef
	Egress  []EgressRule
	Idle    time.Duration // without a request for so long, it sleeps; 0: never
	Limits  Limits

	Origin Origin

	// Problems are those of the app's own files (see Problem.App): it can't
	// run, though all the rest of the configuration can.
	Problems Problems
}

// Limits bound what an app may use.
type Limits struct {
	Memory      int64         // bytes of V8 heap and array buffers, in each isolate
	CPU         time.Duration // one uninterrupted run of JavaScript
	Timeout     time.Duration // wall clock of a request until its response head
	Concurrency int           // requests in flight
	Body        int64         // bytes of a request body
	Isolates    int           // at most
}

// Origin says where an app is configured.
type Origin struct {
	File     string // absolute path
	Line     int
	State    bool   // the file is in the state directory, and the admin API's to change
	Wrangler string // absolute path of the wrangler file that entry, assets and env are from; "": none
}

// Same reports whether two apps are configured alike, wherever that stands: a
// running one needs no change to become the other, unless its files changed.
func (a App) Same(b App) bool {
	a.Origin, b.Origin = Origin{}, Origin{}
	a.Problems, b.Problems = nil, nil
	return reflect.DeepEqual(a, b)
}

// App returns the app of a name.
func (c *Config) App(name string) (App, bool) {
	for _, a := range c.Apps {
		if a.Name == name {
			return a, true
		}
	}
	return App{}, false
}

// notFoundKinds are what not_found and wrangler's not_found_handling take.
var notFoundKinds = []string{"none", "404-page", "single-page-application"}

// The values of what a configuration leaves out.
func builtinServer() Server {
	return Server{
		Listen:       []string{"127.0.0.1:8080"},
		Admin:        "/run/nano/admin.sock",
		Log:          "auto",
		AccessLog:    1,
		DrainTimeout: 30 * time.Second,
		Watch:        true,
	}
}

const builtinIdle = 10 * time.Minute

func builtinLimits() Limits {
	return Limits{
		Memory:      128 << 20,
		CPU:         50 * time.Millisecond,
		Timeout:     30 * time.Second,
		Concurrency: 256,
		Body:        10 << 20,
		Isolates:    2,
	}
}
