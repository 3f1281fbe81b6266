package main

import (
	"context"
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

func appsCommand() *cli.Command {
	return &cli.Command{
		Name:  "apps",
		Usage: "list, show, add, change and remove the apps of the running daemon",
		Description: "Apps that are added here are kept in the state directory, and survive restarts. Apps of\n" +
			"/etc/nano are changed in their files.",
		Flags: []cli.Flag{socketFlag()},
		Subcommands: []*cli.Command{
			listCommand(), showCommand(), addCommand(), removeCommand(),
			oneByOne("reload", "load apps anew, as they are on disk", func(ctx context.Context, a *admin.Client, name string) (*admin.Detail, error) {
				return a.ReloadApp(ctx, name)
			}),
			oneByOne("enable", "turn apps on, or end their quarantine", func(ctx context.Context, a *admin.Client, name string) (*admin.Detail, error) {
				return a.Enable(ctx, name)
			}),
			oneByOne("disable", "turn apps off; their hosts answer 503", func(ctx context.Context, a *admin.Client, name string) (*admin.Detail, error) {
				return a.Disable(ctx, name)
			}),
			logsCommand(),
		},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if verb := c.Args().First(); verb != "" {
				return &failure{fmt.Errorf("there is no command %q", "apps "+verb), "see " + helpOf(c), exitUsage}
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

func listCommand() *cli.Command {
	return &cli.Command{
		Name:    "list",
		Aliases: []string{"ls"},
		Usage:   "all apps, what they do and how they are",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "again every two seconds, until Ctrl-C"},
		},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 0); err != nil {
				return err
			}
			print := func(list *admin.List) error { return listTable(c.App.Writer, list) }
			if c.Bool("json") {
				print = func(list *admin.List) error { return printJSON(c.App.Writer, list) }
			}
			list, err := client(c).Apps(c.Context)
			if err != nil {
				return explain(err)
			}
			if !c.Bool("watch") {
				return print(list)
			}
			return watchList(c, list, print)
		},
	}
}

// watchList prints the list over and over, on a terminal each time from its top.
func watchList(c *cli.Context, list *admin.List, print func(*admin.List) error) error {
	ctx, cancel := interruptible(c)
	defer cancel()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		if canDraw(c.App.Writer) && !c.Bool("json") {
			fmt.Fprint(c.App.Writer, home+clearBelow)
		}
		if err := print(list); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var err error
		if list, err = client(c).Apps(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return explain(err)
		}
	}
}

func listTable(w io.Writer, list *admin.List) error {
	if len(list.Apps) == 0 {
		_, err := fmt.Fprintln(w, "no apps yet")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tHOSTS\tSTATE\tVERSION\tREQ/S\tERRORS\tMEMORY\tUPTIME")
	for _, a := range list.Apps {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.1f\t%d\t%s\t%s\n",
			a.Name, shortHosts(a), state(a), orDash(number(a.Version)), a.Rate, a.Errors, size(a.Memory), since(a.Since))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, a := range list.Apps {
		if a.Problem != "" {
			fmt.Fprintf(w, "\n%s: the last change failed: %s\n", a.Name, indent(a.Problem))
		}
	}
	return nil
}

// state marks an app whose last change failed, whatever still serves.
func state(a admin.App) string {
	if a.Problem != "" && a.State != "failed" {
		return a.State + " (!)"
	}
	return a.State
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// shortHosts are an app's hosts, the first few of them.
func shortHosts(a admin.App) string {
	const most = 2
	hosts := slices.Clone(a.Hosts)
	if a.Default {
		hosts = append(hosts, "(any other)")
	}
	if len(hosts) > most+1 {
		hosts = append(hosts[:most:most], fmt.Sprintf("+%d", len(hosts)-most))
	}
	return orDash(strings.Join(hosts, " "))
}

func indent(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") }

func showCommand() *cli.Command {
	return &cli.Command{
		Name:         "show",
		Usage:        "all about an app: settings, versions, counts",
		ArgsUsage:    "NAME",
		Flags:        []cli.Flag{socketFlag(), jsonFlag()},
		OnUsageError: usageError,
		BashComplete: completeApps,
		Action: func(c *cli.Context) error {
			if err := takes(c, 1, 1); err != nil {
				return err
			}
			d, err := client(c).App(c.Context, c.Args().First())
			if err != nil {
				return explain(err)
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, d)
			}
			return showDetail(c.App.Writer, d)
		},
	}
}

func showDetail(w io.Writer, d *admin.Detail) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("name", "%s", d.Name)
	row("state", "%s", state(d.App))
	if d.Problem != "" {
		row("problem", "%s", strings.ReplaceAll(d.Problem, "\n", "\n\t"))
	}
	if d.Banned > 0 {
		row("quarantine", "%.0fs more; end it with: apps enable %s", d.Banned, d.Name)
	}
	hosts := strings.Join(d.Hosts, " ")
	if d.Default {
		hosts = strings.TrimSpace(hosts + " (any other)")
	}
	row("hosts", "%s", orDash(hosts))
	row("configured in", "%s", d.File)
	if d.Version > 0 {
		row("serves", "version %d (%s) for %s, by %s", d.Version, d.Hash, since(d.Since), d.By)
	}
	row("requests", "%d, %.1f/s, %d in flight, %d errors%s", d.Requests, d.Rate, d.InFlight, d.Errors, counts(d.Codes))
	row("limits hit", "%s", orDash(strings.TrimSpace(counts(d.Limits))))
	row("exceptions", "%d", d.Exceptions)
	row("isolates", "%d, %s, %d cold starts, %.2fs of cpu", d.Isolates, size(d.Memory), d.ColdStarts, d.CPU)
	row("etag", "%s", d.ETag)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nVERSIONS")
	t = tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	for _, v := range slices.Backward(d.Versions) {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", v.Number, v.Hash, v.Since.Local().Format(time.DateTime), v.By)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nSETTINGS")
	return printJSON(w, d.Settings)
}

// counts are those of a map that aren't 0.
func counts(m map[string]uint64) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] > 0 {
			fmt.Fprintf(&b, " %s:%d", k, m[k])
		}
	}
	return b.String()
}

func removeCommand() *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Aliases:   []string{"rm"},
		Usage:     "remove apps, and wait until their requests are done",
		ArgsUsage: "NAME...",
		Flags: []cli.Flag{
			socketFlag(), jsonFlag(),
			&cli.StringFlag{Name: "if-match", Usage: "only while the app is what this `ETAG` stands for"},
		},
		OnUsageError: usageError,
		BashComplete: completeApps,
		Action: func(c *cli.Context) error {
			return each(c, func(name string) error {
				r, err := client(c).Remove(c.Context, name, c.String("if-match"))
				if err != nil {
					return explain(err)
				}
				if c.Bool("json") {
					return printJSON(c.App.Writer, r)
				}
				how := "drained"
				if !r.Drained {
					how = r.Detail
				}
				_, err = fmt.Fprintf(c.App.Writer, "removed %s: %s\n", name, how)
				return err
			})
		},
	}
}

// oneByOne is a verb that does something to each of the apps named.
func oneByOne(verb, usage string, do func(context.Context, *admin.Client, string) (*admin.Detail, error)) *cli.Command {
	return &cli.Command{
		Name:         verb,
		Usage:        usage,
		ArgsUsage:    "NAME...",
		Flags:        []cli.Flag{socketFlag(), jsonFlag()},
		OnUsageError: usageError,
		BashComplete: completeApps,
		Action: func(c *cli.Context) error {
			return each(c, func(name string) error {
				d, err := do(c.Context, client(c), name)
				if err != nil {
					return explain(err)
				}
				if c.Bool("json") {
					return printJSON(c.App.Writer, d)
				}
				return printOutcome(c.App.Writer, d)
			})
		},
	}
}

// printOutcome says in a line how an app is after a change.
func printOutcome(w io.Writer, d *admin.Detail) (err error) {
	if d.Version == 0 {
		_, err = fmt.Fprintf(w, "%s: %s\n", d.Name, d.State)
	} else {
		_, err = fmt.Fprintf(w, "%s: %s, version %d (%s)\n", d.Name, d.State, d.Version, d.Hash)
	}
	return err
}

// each calls do with every argument, up to the first that fails.
func each(c *cli.Context, do func(name string) error) error {
	if c.NArg() == 0 {
		return takes(c, 1, 1)
	}
	for _, name := range c.Args().Slice() {
		if err := do(name); err != nil {
			return err
		}
	}
	return nil
}
