package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/journal"
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
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("cannot run %s: %w", path, errors.Unwrap(err))
	}
	j, err := journal.New(journal.Options{Mode: journal.Auto, Version: version})
	if err != nil {
		return err
	}
	defer j.Close()
	log := j.Logger()
	cores, done := tune()
	defer done()
	d, err := daemon.New(daemon.Options{Log: log, Single: true})
	if err != nil {
		return err
	}
	c, err := control.Open(ctx, control.Options{
		Load: func(config.Options) (*config.Config, error) { return config.LoadFolder(path) },
		Log:  log,
	})
	if err != nil {
		return d.Fail(err)
	}
	set, err := app.NewSet(app.Options{Log: log, Dev: true, Event: c.AppEvent, Cores: cores})
	if err != nil {
		return d.Fail(err)
	}
	return d.Run(ctx, daemon.Service{
		Listen: []string{listen},
		Front:  daemon.FrontOptions{Handler: set.Serve, Workers: cores, Access: j.Access(), Log: log},
		Warm: func(ctx context.Context) (string, error) {
			return "", c.Start(ctx, set)
		},
		Serving: func() {
			c.Serving()
			log.Info("serving http://" + listen + "/")
		},
		Reload: func(ctx context.Context) error {
			_, err := c.Reload(ctx, "signal")
			return err
		},
		Close: func(ctx context.Context) error {
			c.Close()
			return set.Close(ctx)
		},
	})
}
