package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/journal"
)

// configFlag names the configuration; every verb that reads it has it.
func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "/etc/nano/nano.toml", EnvVars: []string{"NANO_CONFIG"}, Usage: "the configuration `FILE`; apps.d beside it is read too"}
}

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "serve all apps of a configuration: the daemon",
		Description: "Listens on the sockets that systemd passes, else on [server] listen. SIGHUP starts the\n" +
			"program and the configuration on disk as a new generation; SIGTERM and Ctrl-C drain.",
		Flags:        []cli.Flag{configFlag()},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 0); err != nil {
				return err
			}
			return serve(c.Context, c.String("config"))
		},
	}
}

// configOptions says what belongs to a configuration: systemd tells where the state is.
func configOptions(path string) config.Options {
	state := os.Getenv("STATE_DIRECTORY")
	if state == "" {
		state = "/var/lib/nano"
	}
	return config.Options{Path: path, StateDir: state}
}

// cacheDirectory is where what is made of the apps is kept; "" for nowhere. systemd says,
// or it is beside the state.
func cacheDirectory() string {
	if dir := os.Getenv("CACHE_DIRECTORY"); dir != "" {
		return dir
	}
	if state := os.Getenv("STATE_DIRECTORY"); state != "" {
		return filepath.Join(state, "cache")
	}
	return "/var/cache/nano"
}

func serve(ctx context.Context, path string) (err error) {
	// The daemon hears these signals as well, once there is one: what goes on before and
	// beside it ends with this.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	cores, done := tune()
	defer done()
	logs, err := newLateLog()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.close()) }()
	log := slog.New(logs)
	d, err := daemon.New(daemon.Options{Log: log})
	if err != nil {
		return err
	}
	s := &server{daemon: d, log: log, cores: cores}
	d.Step("reading the configuration")
	s.control, err = control.Open(ctx, control.Options{
		Config: configOptions(path), Log: log, Successor: d.Successor(), Later: true, Changed: s.showStatus,
	})
	var problems config.Problems
	if errors.As(err, &problems) {
		err = fmt.Errorf("the configuration has problems:\n%w", err)
	}
	if err != nil {
		return d.Fail(err)
	}
	cfg := s.control.Config()
	if s.journal, err = logs.open(cfg.Server.Log); err != nil {
		return d.Fail(err)
	}
	options := app.Options{
		Log: log, Versions: s.control.Versions(), Asleep: s.control.Asleep(), Cache: cacheDirectory(),
		Quarantines: s.control.Quarantines(), Crashes: s.control.Crashes(),
		Event: s.control.AppEvent, Tried: s.control.AppTried, Cores: cores, Bundler: bundler(),
	}
	if !d.Single() {
		h := &healer{began: time.Now(), log: log, replace: func(ctx context.Context) error {
			_, err := s.reload(ctx, "guard")
			return err
		}}
		options.ThreadLost = func(total int) { h.threadLost(ctx, total) }
	}
	s.set, err = app.NewSet(options)
	if err != nil {
		return d.Fail(err)
	}
	defer context.AfterFunc(ctx, s.set.StopLoading)()
	return d.Run(ctx, s.service(cfg.Server))
}

// server is what the daemon serves.
type server struct {
	daemon  *daemon.Daemon
	log     *slog.Logger
	journal *journal.Journal
	control *control.Controller
	set     *app.Set
	cores   int
	serving atomic.Bool
}

func (s *server) service(o config.Server) daemon.Service {
	front := daemon.FrontOptions{
		Handler: s.set.Serve, Workers: s.cores, TrustedProxies: o.TrustedProxies, TrustUnix: slices.Contains(o.TrustedProxies, netip.Prefix{}), Log: s.log,
	}
	if o.AccessLog > 0 {
		front.Access, front.AccessEvery = s.journal.Access(), int(math.Round(1/o.AccessLog))
	}
	return daemon.Service{
		Listen:      o.Listen,
		AdminSocket: adminSocket(o),
		Admin: admin.NewHandler(admin.Options{
			Control: s.control, Set: s.set, Journal: s.journal, Log: s.log,
			Reload: s.reload, Version: version, Draining: s.daemon.Draining(), Front: s.daemon.Stats,
		}),
		Front: front,
		Warm: func(ctx context.Context) (string, error) {
			s.daemon.Step("loading apps")
			if err := s.control.Start(ctx, s.set); err != nil {
				return "", err
			}
			return status(s.set), nil
		},
		Serving: func() {
			s.serving.Store(true)
			s.control.Serving()
		},
		Reload: func(ctx context.Context) error {
			_, err := s.control.Reload(ctx, "signal")
			return err
		},
		Close: func(ctx context.Context) error {
			s.control.Close()
			return s.set.Close(ctx)
		},
		DrainTimeout: max(o.DrainTimeout, 1), // 0 is the daemon's own default
	}
}

// adminSocket is where the configuration says, or where NANO_SOCKET does: the verbs that
// talk to a daemon look there as well, and the template unit gives each tenant its own.
func adminSocket(o config.Server) string {
	if path := os.Getenv("NANO_SOCKET"); path != "" {
		return path
	}
	return o.Admin
}

// reload applies program and configuration for somebody on the admin socket.
func (s *server) reload(ctx context.Context, by string) (*control.Outcome, error) {
	if s.daemon.Single() {
		return s.control.Reload(ctx, by)
	}
	o, err := s.control.Upgrade(ctx, by, s.daemon.Upgrade)
	if err == nil {
		<-s.daemon.Closed() // who was told that it is done expects no old answer
	}
	return o, err
}

// showStatus tells systemd how the apps are. Until it serves, a process has no say.
func (s *server) showStatus() {
	if s.serving.Load() {
		s.daemon.Status(status(s.set))
	}
}

// status is a line about the apps for systemctl status.
func status(set *app.Set) string {
	count := map[app.State]int{}
	var order []app.State
	for _, a := range set.Apps() {
		st, _ := a.State()
		if count[st]++; count[st] == 1 {
			order = append(order, st)
		}
	}
	slices.Sort(order)
	parts := make([]string, len(order))
	for i, st := range order {
		parts[i] = fmt.Sprintf("%d %s", count[st], st)
	}
	if len(parts) == 0 {
		return "No apps yet"
	}
	return "Apps: " + strings.Join(parts, ", ")
}
