package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// The test binary is the program under test, too, when it is started with childEnv.
const (
	childEnv   = "NANO_TEST_CONFIG" // the path of the configuration
	childAddr  = "NANO_TEST_LISTEN"
	childAdmin = "NANO_TEST_ADMIN"
	childPID   = "NANO_TEST_PIDFILE"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := childMain(path); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childMain is a small program that serves as its configuration says: "serve", or one
// of the ways to go wrong.
func childMain(path string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	d, err := New(Options{Log: log, UpgradeTimeout: 2 * time.Second, PIDFile: os.Getenv(childPID)})
	if err != nil {
		return err
	}
	config, err := os.ReadFile(path)
	if err != nil {
		return d.Fail(err)
	}
	d.Step("reading the configuration")
	what, reason, _ := strings.Cut(string(config), " ")
	switch what {
	case "fail":
		return d.Fail(errors.New(reason))
	case "panic":
		panic(reason)
	case "exit":
		os.Exit(3)
	}
	admin := http.NewServeMux()
	admin.HandleFunc("POST /upgrade", func(w http.ResponseWriter, r *http.Request) {
		if err := d.Upgrade(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	return d.Run(context.Background(), Service{
		Listen:      strings.Fields(os.Getenv(childAddr)),
		AdminSocket: os.Getenv(childAdmin),
		Admin:       admin,
		Front: FrontOptions{Handler: func(x *Exchange) {
			switch x.Target {
			case "/slow":
				_ = x.Start(200, nil)
				_ = x.Flush()
				_, _ = io.Copy(io.Discard, x.Body)
				_, _ = io.WriteString(x, "done")
			case "/environment":
				_ = x.Respond(200, nil, []byte(strings.Join(os.Environ(), "\n")))
			default:
				_ = x.Respond(200, nil, fmt.Appendf(nil, "%d", os.Getpid()))
			}
		}},
		Warm: func(ctx context.Context) (string, error) {
			d.Step("waking apps")
			switch what {
			case "hang":
				<-ctx.Done()
				return "", ctx.Err()
			case "broken":
				return "", errors.New(reason)
			}
			return "Serving " + reason, nil
		},
		DrainTimeout: 5 * time.Second,
	})
}
