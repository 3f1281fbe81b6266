package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"github.com/nano-runtime/nano/bundle"
)

// bundleVerb is for the daemon alone.
const bundleVerb = "bundle-one"

// bundler is how the daemon starts this program to bundle an app.
func bundler() []string { return []string{os.Args[0], bundleVerb} }

func bundleCommand() *cli.Command {
	return &cli.Command{
		Name:         bundleVerb,
		Usage:        "bundle the app that standard input names: for the daemon",
		Hidden:       true,
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 0); err != nil {
				return err
			}
			return bundle.ServeBuild(os.Stdin, os.Stdout)
		},
	}
}
