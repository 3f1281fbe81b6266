package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/control"
)

func reloadCommand() *cli.Command {
	return &cli.Command{
		Name:  "reload",
		Usage: "apply the program and the configuration on disk, without losing a request",
		Description: "Starts a new generation of the daemon and waits until it has taken over, or has failed:\n" +
			"then the old one serves on, and the reason is printed. Prints what has changed.",
		Flags:        []cli.Flag{socketFlag(), jsonFlag()},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 0); err != nil {
				return err
			}
			o, err := client(c).Reload(c.Context)
			if err != nil {
				return notReloaded(explain(err))
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, o)
			}
			return printChanges(c.App.Writer, o)
		},
	}
}

// notReloaded says of an error that the old state serves on, if there is a daemon.
func notReloaded(err error) error {
	var f *failure
	if errors.As(err, &f) && f.code == exitNoDaemon {
		return err
	}
	if f != nil {
		return &failure{fmt.Errorf("cannot reload, and nothing has changed: %w", f.err), f.hint, f.code}
	}
	return fmt.Errorf("cannot reload: %w", err)
}

// printChanges says what an outcome is, a line for each kind of change.
func printChanges(w io.Writer, o *control.Outcome) error {
	for _, part := range []struct {
		what string
		apps []string
	}{{"added", o.Added}, {"changed", o.Changed}, {"removed", o.Removed}} {
		if len(part.apps) > 0 {
			fmt.Fprintf(w, "%s: %s\n", part.what, strings.Join(part.apps, ", "))
		}
	}
	for _, f := range o.Failed {
		fmt.Fprintf(w, "failed: %s: %s\n", f.App, indent(f.Reason))
	}
	for _, n := range o.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	_, err := fmt.Fprintf(w, "reloaded: %s\n", o.Summary())
	return err
}
