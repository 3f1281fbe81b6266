package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/daemon"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run one app in the foreground, and anew when a file of it changes",
		ArgsUsage: "[DIR|FILE]",
		Description: "Serves the app in DIR (default: this folder), or the one whose entry is FILE, for every\n" +
			"host. Compile errors and exceptions are shown in the browser, in the original source.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Aliases: []string{"l"}, Value: "127.0.0.1:8080", Usage: "the `ADDRESS` to listen on"},
		},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 1); err != nil {
				return err
			}
			dir := c.Args().First()
			if dir == "" {
				dir = "."
			}
			return runOne(c.Context, dir, c.String("listen"))
		},
	}
}

func runOne(ctx context.Context, path, listen string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg, err := config.LoadFolder(path)
	var problems config.Problems
	if cfg == nil || err != nil && !errors.As(err, &problems) {
		return err
	}
	d, err := daemon.New(daemon.Options{Log: log, Single: true})
	if err != nil {
		return err
	}
	set, err := app.NewSet(app.Options{Log: log, Dev: true})
	if err != nil {
		return err
	}
	return d.Run(ctx, daemon.Service{
		Listen: []string{listen},
		Front:  daemon.FrontOptions{Handler: set.Serve, Log: log},
		Warm: func(ctx context.Context) (string, error) {
			change := set.Apply(ctx, cfg, "start")
			for _, err := range change.Failed {
				fmt.Fprintln(os.Stderr, err)
			}
			return "", nil
		},
		Close: set.Close,
	})
}
