package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/admin"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:         "status",
		Usage:        "how the daemon is, and what the last change came to",
		Flags:        []cli.Flag{socketFlag(), jsonFlag()},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 0); err != nil {
				return err
			}
			s, err := client(c).Status(c.Context)
			if err != nil {
				return explain(err)
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, s)
			}
			return showStatus(c.App.Writer, s)
		},
	}
}

func showStatus(w io.Writer, s *admin.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("version", "%s (V8 %s, %s)", s.Version, s.V8, s.Go)
	row("process", "%d, for %s", s.PID, age(time.Since(s.Started)))
	watching := ""
	if s.Watching {
		watching = ", applied when it changes"
	}
	row("configuration", "%s%s", s.Config, watching)
	row("apps", "%s, %d hosts", orDash(states(s.Apps)), s.Hosts)
	row("requests", "%d, %.1f/s, %d in flight, %d errors, %d connections", s.Requests, s.Rate, s.InFlight, s.Errors, s.Connections)
	row("memory", "%s in %d isolates, %s in all", size(s.Memory), s.Isolates, size(s.Resident))
	row("budget", "%s", budget(s.Budget))
	if s.LostThreads > 0 {
		row("lost threads", "%d", s.LostThreads)
	}
	row("last change", "%s, %s ago, by %s", s.Last.Summary(), age(time.Since(s.Last.At)), s.Last.By)
	if err := t.Flush(); err != nil {
		return err
	}
	if err := s.Last.Err(); err != nil {
		fmt.Fprintf(w, "\n%s\n", err)
	}
	for _, n := range s.Last.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	return nil
}

// budget says how much of what all apps share is used, and by whom.
func budget(b admin.Budget) string {
	text := fmt.Sprintf("%d of %d isolates, %s of %s of V8 heap", b.Isolates, b.MaxIsolates, size(b.Heap), size(b.MaxHeap))
	for i, l := range b.Largest {
		if i == 0 {
			text += "; most by "
		} else {
			text += ", "
		}
		text += fmt.Sprintf("%s (%s)", l.App, size(l.Heap))
	}
	if b.Refused > 0 {
		text += fmt.Sprintf("; no room for %d isolates so far", b.Refused)
	}
	return text
}

func states(m map[string]int) string {
	var parts []string
	for _, st := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[st], st))
	}
	return strings.Join(parts, ", ")
}
