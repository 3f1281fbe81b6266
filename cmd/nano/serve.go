package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/daemon"
)

// configFlag names the configuration; every verb that reads it has it.
func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "/etc/nano/nano.toml", EnvVars: []string{"NANO_CONFIG"}, Usage: "the configuration `FILE`; apps.d beside it is read too"}
}

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "serve all apps of a configuration: the daemon",
		Description: "Listens on the sockets that systemd passes, else on [server] listen. SIGHUP starts the\n" +
			"program and the configuration on disk as a new generation; SIGTERM and Ctrl-C drain.",
		Flags:        []cli.Flag{configFlag()},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 0); err != nil {
				return err
			}
			return serve(c.Context, c.String("config"))
		},
	}
}

// configOptions says what belongs to a configuration: systemd tells where the state is.
func configOptions(path string) config.Options {
	state := os.Getenv("STATE_DIRECTORY")
	if state == "" {
		state = "/var/lib/nano"
	}
	return config.Options{Path: path, StateDir: state}
}

func serve(ctx context.Context, path string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	d, err := daemon.New(daemon.Options{Log: log})
	if err != nil {
		return err
	}
	d.Step("reading the configuration")
	cfg, err := config.Load(configOptions(path))
	if cfg == nil {
		return d.Fail(fmt.Errorf("the configuration has problems:\n%w", err))
	}
	set, err := app.NewSet(app.Options{Log: log})
	if err != nil {
		return d.Fail(err)
	}
	return d.Run(ctx, daemon.Service{
		Listen:      cfg.Server.Listen,
		AdminSocket: cfg.Server.Admin,
		Front: daemon.FrontOptions{
			Handler:        set.Serve,
			TrustedProxies: cfg.Server.TrustedProxies,
			Log:            log,
		},
		Warm: func(ctx context.Context) (string, error) {
			change := set.Apply(ctx, cfg, "start")
			for name, err := range change.Failed {
				log.Error("cannot load app", "app", name, "error", err)
			}
			return status(set), nil
		},
		Close:        set.Close,
		DrainTimeout: cfg.Server.DrainTimeout,
	})
}

// status is a line about the apps for systemctl status.
func status(set *app.Set) string {
	count := map[app.State]int{}
	var order []app.State
	for _, a := range set.Apps() {
		st, _ := a.State()
		if count[st]++; count[st] == 1 {
			order = append(order, st)
		}
	}
	parts := make([]string, len(order))
	for i, st := range order {
		parts[i] = fmt.Sprintf("%d %s", count[st], st)
	}
	return "Apps: " + strings.Join(parts, ", ")
}

