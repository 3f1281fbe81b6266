// Command bench puts NANO side by side with what a user would build instead:
// the same handlers everywhere, turn by turn on one machine, and medians of
// ratios. From the top of the tree: make bench.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nano-runtime/nano/bench/native"
	"github.com/nano-runtime/nano/bench/stack"
)

// serveVerb makes the program a server that a stack starts:
// bench serve APP PORT ASSETS UPSTREAM.
const serveVerb = "serve"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == serveVerb {
		return serveNative(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == hostileVerb {
		return runHostile(ctx, args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	short := flags.Bool("short", false, "a smoke test: a few hundred requests for each stack, and no files written")
	only := flags.String("only", "", "run only these `NAMES`: workloads and stacks, separated by commas; no files written")
	rounds := flags.Int("rounds", 0, "how many turns each stack gets (default 7, short 1)")
	turn := flags.Duration("turn", 0, "how long a turn takes (default 1s)")
	out := flags.String("out", "docs", "the `FOLDER` for benchmarks.md and benchmarks.svg")
	nano := flags.String("nano", "bin/nano", "the NANO `PROGRAM` to measure")
	list := flags.Bool("list", false, "list workloads and stacks")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if *list {
		printNames()
		return nil
	}
	size := fullSize()
	if *short {
		size = shortSize()
	}
	if *rounds > 0 {
		size.rounds = *rounds
	}
	if *turn > 0 {
		size.turn = *turn
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	writes := !*short && *only == ""
	if writes {
		if err := mayWrite(*out); err != nil {
			return err
		}
	}
	lab, err := newLab(ctx, size, chosen, *nano)
	if err != nil {
		return err
	}
	defer lab.close()
	began := time.Now()
	failed := lab.runAll(ctx)
	report := lab.report(time.Since(began))
	report.print(os.Stdout)
	if !writes || ctx.Err() != nil { // a part of it would look like the whole
		return errors.Join(failed, ctx.Err())
	}
	// What was measured in half an hour isn't thrown away for what went wrong.
	return errors.Join(failed, report.write(*out))
}

// mayWrite fails where no file can be written in dir, which would else show at the end.
func mayWrite(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".bench-"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write to the folder that -out names: %w", err)
	}
	return nil
}

func serveNative(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("%s takes APP PORT ASSETS UPSTREAM", serveVerb)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:"+args[1])
	if err != nil {
		return err
	}
	return native.Serve(ctx, args[0], listener, native.Options{Assets: args[2], Upstream: args[3]})
}

// choice is what -only leaves.
type choice struct {
	workloads map[string]bool // nil: all
	kinds     map[stack.Kind]bool
}

func choose(only string) (choice, error) {
	var c choice
	if only == "" {
		return c, nil
	}
	kinds := make(map[string]stack.Kind)
	for _, k := range stack.Kinds() {
		kinds[k.Slug()] = k
	}
	for name := range strings.SplitSeq(only, ",") {
		if k, ok := kinds[name]; ok {
			if c.kinds == nil {
				c.kinds = make(map[stack.Kind]bool)
			}
			c.kinds[k] = true
			continue
		}
		if !isWorkload(name) {
			return c, fmt.Errorf("there is no workload and no stack %q; bench -list names them", name)
		}
		if c.workloads == nil {
			c.workloads = make(map[string]bool)
		}
		c.workloads[name] = true
	}
	return c, nil
}

func (c choice) workload(name string) bool { return c.workloads == nil || c.workloads[name] }
func (c choice) kind(k stack.Kind) bool    { return c.kinds == nil || c.kinds[k] }

func printNames() {
	fmt.Println("workloads:")
	for _, w := range workloads() {
		fmt.Printf("  %-16s %s\n", w.name, w.title)
	}
	for _, w := range episodes() {
		fmt.Printf("  %-16s %s\n", w.name, w.title)
	}
	fmt.Println("stacks:")
	for _, k := range stack.Kinds() {
		fmt.Printf("  %-16s %s\n", k.Slug(), k)
	}
}
