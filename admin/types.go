package admin

import (
	"encoding/json"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
)

// App is an app in the list of apps.
type App struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Problem string   `json:"problem,omitempty"` // why it can't serve, or why its last change failed
	Hosts   []string `json:"hosts"`
	Default bool     `json:"default"`
	ETag    string   `json:"etag"`
	File    string   `json:"file"`    // where it is configured
	Managed bool     `json:"managed"` // through this API

	Version int        `json:"version"` // that serves; 0: none does
	Hash    string     `json:"hash,omitempty"`
	Since   *time.Time `json:"since,omitempty"`
	By      string     `json:"by,omitempty"`

	Requests    uint64     `json:"requests"` // since the process began, as all that counts
	Errors      uint64     `json:"errors"`   // of them, with a status from 500 on, or none
	Rate        float64    `json:"rate"`     // requests a second, of late
	InFlight    int        `json:"in_flight"`
	Waiting     int        `json:"waiting"`
	Isolates    int        `json:"isolates"`
	Memory      int64      `json:"memory_bytes"` // V8 heap and array buffers
	CPU         float64    `json:"cpu_seconds"`
	LastRequest *time.Time `json:"last_request,omitempty"`
}

// Detail is all there is to know about an app.
type Detail struct {
	App
	Settings   json.RawMessage   `json:"settings"` // in force, the defaults included
	Versions   []app.Version     `json:"versions"` // oldest first
	Codes      map[string]uint64 `json:"codes"`    // requests by status
	Limits     map[string]uint64 `json:"limit_hits"`
	Exceptions uint64            `json:"exceptions"`
	ColdStarts uint64            `json:"cold_starts"`
	Banned     float64           `json:"quarantine_seconds"` // that are left
}

// List is the answer to GET /admin/apps.
type List struct {
	ETag string `json:"etag"`
	Apps []App  `json:"apps"`
}

// Removal is the answer to DELETE of an app.
type Removal struct {
	Removed string `json:"removed"`
	Drained bool   `json:"drained"`          // nothing was cut off
	Detail  string `json:"detail,omitempty"` // what was
}

// Status is the answer to GET /admin/status.
type Status struct {
	Version     string          `json:"version"`
	V8          string          `json:"v8"`
	Go          string          `json:"go"`
	PID         int             `json:"pid"`
	Started     time.Time       `json:"started"`
	Config      string          `json:"config"` // path of nano.toml
	Watching    bool            `json:"watching"`
	Apps        map[string]int  `json:"apps"` // by state
	Hosts       int             `json:"hosts"`
	Requests    uint64          `json:"requests"`
	Errors      uint64          `json:"errors"`
	Rate        float64         `json:"rate"`
	InFlight    int             `json:"in_flight"`
	Connections int             `json:"connections"`
	Isolates    int             `json:"isolates"`
	Memory      int64           `json:"memory_bytes"`   // V8 heaps and array buffers
	Resident    int64           `json:"resident_bytes"` // of the process
	LostThreads int             `json:"lost_threads"`
	Budget      Budget          `json:"budget"`
	Last        control.Outcome `json:"last_change"`
}

// Budget is what the isolates of all apps share, and who uses most of it.
type Budget struct {
	Isolates    int     `json:"isolates"`
	MaxIsolates int     `json:"max_isolates"`
	Heap        int64   `json:"heap_bytes"` // that V8's heaps take, those of lost isolates included
	MaxHeap     int64   `json:"max_heap_bytes"`
	Refused     uint64  `json:"refused"` // isolates that there was no room for
	Largest     []Share `json:"largest"` // at most five apps
}

// Share is an app's part of the budget.
type Share struct {
	App      string `json:"app"`
	Isolates int    `json:"isolates"`
	Heap     int64  `json:"heap_bytes"`
}

// Error is an RFC 9457 problem: what every answer but a good one holds.
type Error struct {
	Type     string          `json:"type"` // one of the constants below
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail,omitempty"`
	Problems config.Problems `json:"problems,omitempty"` // each with its place
	Hint     string          `json:"hint,omitempty"`
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Title
	}
	return e.Detail
}

// The types of errors. They stay what they are.
const (
	TypeBadRequest  = "bad-request" // 400
	TypeForbidden   = "forbidden"   // 403: a Host that isn't ours, or a browser
	TypeNotFound    = "not-found"   // 404
	TypeMethod      = "method"      // 405
	TypeConflict    = "conflict"    // 409: there is one already
	TypeForeign     = "foreign"     // 409: the app stands in a file that isn't the API's
	TypeStale       = "stale"       // 412: If-Match doesn't
	TypeTooLarge    = "too-large"   // 413
	TypeMedia       = "media-type"  // 415
	TypeInvalid     = "invalid"     // 422: see problems
	TypeLoad        = "load-failed" // 422: the app's code doesn't load
	TypeReload      = "reload"      // 422: the new generation did not take over
	TypeInternal    = "internal"    // 500
	TypeHandedOver  = "handed-over" // 503: ask again, another process answers
	TypeUnavailable = "unavailable" // 503
	TypeNoState     = "no-state"    // 501: nowhere to keep apps
)
