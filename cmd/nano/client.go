package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/admin"
)

const defaultSocket = "/run/nano/admin.sock"

// socketFlag names the daemon. It may stand before the verb or after it; the variable is
// read where neither is.
func socketFlag() cli.Flag {
	return &cli.StringFlag{Name: "socket", DefaultText: "$NANO_SOCKET or " + defaultSocket, Usage: "the daemon's admin `SOCKET`"}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "as JSON"}
}

func socketPath(c *cli.Context) string {
	for _, up := range c.Lineage() {
		if up.IsSet("socket") {
			return up.String("socket")
		}
	}
	return cmp.Or(os.Getenv("NANO_SOCKET"), defaultSocket)
}

func client(c *cli.Context) *admin.Client { return admin.NewClient(socketPath(c)) }

// interruptible is the context of a verb that goes on until Ctrl-C.
func interruptible(c *cli.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
}

// explain says what an error of the client means to who typed the command.
func explain(err error) error {
	var dial *admin.DialError
	var refused *admin.Error
	switch {
	case errors.As(err, &dial) && errors.Is(err, fs.ErrPermission):
		return &failure{
			fmt.Errorf("this user may not use %s", dial.Socket),
			"sudo usermod -aG nano $USER, and log in again; or use sudo", exitFailed,
		}
	case errors.As(err, &dial):
		return &failure{fmt.Errorf("no daemon on %s", dial.Socket), "systemctl start nano", exitNoDaemon}
	case errors.As(err, &refused):
		return &failure{errors.New(refusal(refused)), refused.Hint, exitFailed}
	}
	return err
}

// refusal is what a problem says, with a line for each place.
func refusal(e *admin.Error) string {
	if e.Type == admin.TypeLoad || e.Type == admin.TypeReload || len(e.Problems) == 0 {
		return e.Error() // the places are in the text
	}
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Message
		if p.File != request {
			lines[i] = p.String()
		}
	}
	return strings.Join(lines, "\n       ")
}

// request is the file of problems in what the API was sent.
const request = "request"

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch f := float64(n); {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", f/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", f/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f KiB", f/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// age is a time since some moment for people.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

func since(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return age(time.Since(*t))
}
