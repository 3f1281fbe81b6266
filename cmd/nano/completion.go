package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// scripts are the completions of the shells, for a program called nanod.
//
//go:embed completion
var scripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the completion script of a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: "The packages install it. By hand:\n" +
			"  bash: eval \"$(NAME completion bash)\"\n" +
			"  zsh:  NAME completion zsh >\"${fpath[1]}/_NAME\"\n" +
			"  fish: NAME completion fish >~/.config/fish/completions/NAME.fish",
		OnUsageError: usageError,
		BashComplete: func(c *cli.Context) {
			for _, s := range shells {
				fmt.Fprintln(c.App.Writer, s)
			}
		},
		Action: func(c *cli.Context) error {
			if err := takes(c, 1, 1); err != nil {
				return err
			}
			text, err := scripts.ReadFile("completion/nanod." + c.Args().First())
			if err != nil {
				return &failure{fmt.Errorf("there is no completion for %q", c.Args().First()), "bash, zsh and fish have one", exitUsage}
			}
			_, err = fmt.Fprint(c.App.Writer, strings.ReplaceAll(string(text), "nanod", c.App.Name))
			return err
		},
	}
}

// completeApps prints what may follow a verb that takes apps: their names, from the
// daemon that runs, or flags. Without a daemon there is nothing to offer.
func completeApps(c *cli.Context) {
	if n := len(os.Args); n > 2 && strings.HasPrefix(os.Args[n-2], "-") {
		cli.DefaultCompleteWithFlags(c.Command)(c)
		return
	}
	ctx, cancel := context.WithTimeout(c.Context, time.Second)
	defer cancel()
	list, err := client(c).Apps(ctx)
	if err != nil {
		return
	}
	for _, a := range list.Apps {
		fmt.Fprintln(c.App.Writer, a.Name)
	}
}
