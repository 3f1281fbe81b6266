package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/journal"
)

func logsCommand() *cli.Command {
	return &cli.Command{
		Name:      "logs",
		Usage:     "the last log lines of an app",
		ArgsUsage: "NAME",
		Description: "What the app wrote to its console, its exceptions, limits that it hit, and what was done\n" +
			"to it. The daemon keeps about 1000 lines an app; the journal has all of them.",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on with the lines to come, until Ctrl-C"},
			&cli.StringFlag{Name: "level", Usage: "only lines of this `LEVEL` and above: debug, info, warn, error"},
			&cli.IntFlag{Name: "lines", Aliases: []string{"n"}, Value: 100, Usage: "at most so many `LINES` of those that there are"},
		},
		OnUsageError: usageError,
		BashComplete: completeApps,
		Action: func(c *cli.Context) error {
			if err := takes(c, 1, 1); err != nil {
				return err
			}
			ctx, cancel := interruptible(c)
			defer cancel()
			q := admin.LogQuery{Follow: c.Bool("follow"), Level: strings.ToLower(c.String("level")), Lines: c.Int("lines")}
			enc := json.NewEncoder(c.App.Writer)
			var last, seen time.Time // of all lines, and of those that the same process has told before
			pid := 0
			for {
				if q.Follow {
					s, err := client(c).Status(ctx)
					if seen = last; err != nil || s.PID != pid {
						seen = time.Time{} // the lines of two processes have no order
					}
					if err == nil {
						pid = s.PID
					}
				}
				err := client(c).Logs(ctx, c.Args().First(), q, func(l journal.Line) error {
					if l.Lost == 0 && !l.Time.After(seen) {
						return nil
					}
					if l.Lost == 0 && l.Time.After(last) {
						last = l.Time
					}
					if c.Bool("json") {
						return enc.Encode(l)
					}
					_, err := fmt.Fprintln(c.App.Writer, logLine(l))
					return err
				})
				if ctx.Err() != nil {
					return nil
				}
				var refused *admin.Error
				if err != nil && (!q.Follow || errors.As(err, &refused) || isDial(err)) {
					return explain(err)
				}
				if !q.Follow {
					return nil
				}
				// The daemon is being replaced: all that the next one has is new. What comes
				// from the old one once more is left out by its time.
				q.Lines = 1000
				time.Sleep(100 * time.Millisecond)
			}
		},
	}
}

func isDial(err error) bool {
	var dial *admin.DialError
	return errors.As(err, &dial)
}

// logLine is a line for people.
func logLine(l journal.Line) string {
	if l.Lost > 0 {
		return fmt.Sprintf("%s  … %d lines were lost: this reader was too slow", l.Time.Local().Format(time.DateTime), l.Lost)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-5s %s", l.Time.Local().Format("2006-01-02 15:04:05.000"), l.Level, strings.ReplaceAll(journal.Printable(l.Text), "\n", "\n    "))
	if l.RequestID != "" {
		fmt.Fprintf(&b, " request_id=%s", l.RequestID)
	}
	if l.Detail != "" {
		fmt.Fprintf(&b, " %s", journal.Printable(l.Detail))
	}
	return b.String()
}
