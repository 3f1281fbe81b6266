package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/admin"
)

func topCommand() *cli.Command {
	return &cli.Command{
		Name:  "top",
		Usage: "a live view of the apps that are busiest",
		Description: "Keys: c by cpu, m by memory, r by requests, e by errors, n by name, q to quit. Without a\n" +
			"terminal it prints the view once.",
		Flags: []cli.Flag{
			socketFlag(),
			&cli.DurationFlag{Name: "interval", Aliases: []string{"i"}, Value: time.Second, Usage: "the `TIME` between two looks"},
		},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 0); err != nil {
				return err
			}
			interval := c.Duration("interval")
			if interval < 100*time.Millisecond {
				return &failure{fmt.Errorf("--interval %s is too short", interval), "100ms is the least", exitUsage}
			}
			ctx, cancel := interruptible(c)
			defer cancel()
			v := &topView{client: client(c), order: 'c'}
			if err := v.look(ctx); err != nil {
				return explain(err)
			}
			if !canDraw(c.App.Writer) {
				return v.once(ctx, c.App.Writer, interval)
			}
			return v.live(ctx, c.App.Writer.(*os.File), interval)
		},
	}
}

// topView is what top shows: two looks at the daemon, and how the apps are sorted.
type topView struct {
	client *admin.Client
	order  byte

	status    *admin.Status
	now, then []admin.App
	took      time.Duration // between the two
	at        time.Time
}

// look asks the daemon.
func (v *topView) look(ctx context.Context) error {
	status, err := v.client.Status(ctx)
	if err != nil {
		return err
	}
	list, err := v.client.Apps(ctx)
	if err != nil {
		return err
	}
	at := time.Now()
	v.took, v.at = at.Sub(v.at), at
	v.status, v.then, v.now = status, v.now, list.Apps
	return nil
}

// once prints the view after a second look.
func (v *topView) once(ctx context.Context, w io.Writer, interval time.Duration) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(interval):
	}
	if err := v.look(ctx); err != nil {
		return explain(err)
	}
	_, err := fmt.Fprintln(w, strings.Join(v.lines(), "\n"))
	return err
}

// live draws the view until somebody quits, and leaves the terminal as it was.
func (v *topView) live(ctx context.Context, out *os.File, interval time.Duration) error {
	pressed, restore, err := keys(os.Stdin)
	if err != nil {
		pressed, restore = nil, func() {} // no keyboard: Ctrl-C ends it
	}
	defer restore()
	fmt.Fprint(out, enterView)
	defer fmt.Fprint(out, leaveView)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := v.draw(out); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case k := <-pressed:
			switch k {
			case 'q', 'Q':
				return nil
			case 'c', 'm', 'r', 'e', 'n':
				v.order = k
			}
		case <-tick.C:
			if err := v.look(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return explain(err)
			}
		}
	}
}

// draw fills the screen.
func (v *topView) draw(out *os.File) error {
	columns, rows := screenSize(out)
	var b bytes.Buffer
	b.WriteString(home)
	lines := v.lines()
	for i, line := range lines[:min(len(lines), rows)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		text := []rune(line)
		if i == headings {
			b.WriteString(bold)
		}
		b.WriteString(string(text[:min(len(text), columns)]))
		b.WriteString(plain + clearRight)
	}
	b.WriteString(clearBelow)
	_, err := out.Write(b.Bytes())
	return err
}

// headings is the line with the names of the columns.
const headings = 3

// lines are the view's.
func (v *topView) lines() []string {
	s := v.status
	lines := []string{
		fmt.Sprintf("nano %s, pid %d, up %s: %s", s.Version, s.PID, age(time.Since(s.Started)), orDash(states(s.Apps))),
		fmt.Sprintf("%.1f requests/s, %d in flight, %d connections; %s in %d isolates, %s in all", s.Rate, s.InFlight, s.Connections, size(s.Memory), s.Isolates, size(s.Resident)),
		"",
	}
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSTATE\tREQ/S\tERR/S\tIN FLIGHT\tISOLATES\tMEMORY\tCPU%\tVERSION\tUPTIME")
	for _, a := range v.sorted() {
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%.1f\t%d\t%d\t%s\t%.1f\t%s\t%s\n",
			a.Name, state(a.App), a.requests, a.errors, a.InFlight, a.Isolates, size(a.Memory), a.cpu, orDash(number(a.Version)), since(a.Since))
	}
	_ = t.Flush() // to a buffer
	return append(lines, strings.Split(strings.TrimRight(b.String(), "\n"), "\n")...)
}

// topApp is an app with its rates between two looks.
type topApp struct {
	admin.App
	requests, errors float64 // a second
	cpu              float64 // percent of one processor
}

func (v *topView) sorted() []topApp {
	before := make(map[string]admin.App, len(v.then))
	for _, a := range v.then {
		before[a.Name] = a
	}
	apps := make([]topApp, len(v.now))
	for i, a := range v.now {
		apps[i] = topApp{App: a}
		b, ok := before[a.Name]
		if !ok || v.took <= 0 || a.Requests < b.Requests {
			continue // it is new, or another process counts
		}
		seconds := v.took.Seconds()
		apps[i].requests = float64(a.Requests-b.Requests) / seconds
		apps[i].errors = max(float64(a.Errors)-float64(b.Errors), 0) / seconds
		apps[i].cpu = max(a.CPU-b.CPU, 0) / seconds * 100
	}
	key := func(a topApp) float64 {
		switch v.order {
		case 'm':
			return float64(a.Memory)
		case 'r':
			return a.requests
		case 'e':
			return a.errors
		case 'c':
			return a.cpu
		}
		return 0
	}
	slices.SortFunc(apps, func(a, b topApp) int {
		return cmp.Or(cmp.Compare(key(b), key(a)), cmp.Compare(a.Name, b.Name))
	})
	return apps
}
