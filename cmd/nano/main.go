// Command nano serves many small web apps on one port, and talks to the daemon that
// does. Each verb has a file of its own; what they do is in the packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"
)

// version is set by the linker.
var version = "unknown"

// Exit codes, as promised in the documents.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitNoDaemon = 3
)

func main() { os.Exit(run(context.Background(), os.Args)) }

// run is the whole program but for the exit.
func run(ctx context.Context, args []string) int {
	app := newApp(filepath.Base(args[0]))
	err := app.RunContext(ctx, flagsFirst(app, args))
	if err == nil {
		return 0
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{err: err, code: exitFailed}
		if _, asked := err.(cli.ExitCoder); asked { // help for what there isn't
			f = &failure{err, "see " + app.Name + " --help", exitUsage}
		}
	}
	if f.err != nil {
		fmt.Fprintln(os.Stderr, "error:", f.err)
	}
	if f.hint != "" {
		fmt.Fprintln(os.Stderr, "hint:", f.hint)
	}
	return f.code
}

// newApp is the command line, under the name by which it was called: nano, or nanod.
func newApp(name string) *cli.App {
	app := &cli.App{
		Name:  name,
		Usage: "many small web apps on one port, each in isolates of its own",
		Description: "An app is a folder with a module that does `export default { fetch(request, env, ctx) {…} }`,\n" +
			"in JavaScript or TypeScript. The Host header of a request picks the app.\n\n" +
			"Start here:\n" +
			"  " + name + " init hello && " + name + " run hello\n\n" +
			"Then, on a server: name it in /etc/nano/apps.d/hello.toml and say\n" +
			"  systemctl reload nano && " + name + " apps list\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no daemon on the socket.",
		Version:                version,
		HideVersion:            true,
		EnableBashCompletion:   true,
		UseShortOptionHandling: true,
		// --env LIST=a,b is one variable.
		DisableSliceFlagSeparator: true,
		Suggest:                   true,
		Flags:                     []cli.Flag{socketFlag()},
		Commands: []*cli.Command{
			serveCommand(), runCommand(), checkCommand(),
			appsCommand(), logsCommand(), reloadCommand(), statusCommand(), topCommand(),
			initCommand(), versionCommand(), completionCommand(), stopCommand(), bundleCommand(),
		},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if verb := c.Args().First(); verb != "" {
				return &failure{fmt.Errorf("there is no command %q", verb), "see " + c.App.Name + " --help", exitUsage}
			}
			return cli.ShowAppHelp(c)
		},
		ExitErrHandler: func(*cli.Context, error) {}, // run does it
	}
	plainVerbs(app.Commands)
	return app
}

// plainVerbs keeps the library from giving verbs without sub-commands one called help.
func plainVerbs(commands []*cli.Command) {
	for _, c := range commands {
		c.HideHelpCommand = len(c.Subcommands) == 0
		plainVerbs(c.Subcommands)
	}
}

// failure is an error with what to do about it, and an exit code.
type failure struct {
	err  error // nil: everything has been said
	hint string
	code int
}

func (f *failure) Error() string {
	if f.err == nil {
		return "failed"
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

func usageError(c *cli.Context, err error, _ bool) error {
	return &failure{err, "see " + helpOf(c), exitUsage}
}

// helpOf is what to type to learn how a command is used.
func helpOf(c *cli.Context) string {
	if c.Command.HelpName == "" {
		return c.App.Name + " --help"
	}
	return c.Command.HelpName + " --help"
}

// takes makes sure of how many arguments a verb got.
func takes(c *cli.Context, least, most int) error {
	n := c.NArg()
	if n >= least && n <= most {
		return nil
	}
	usage := c.Command.ArgsUsage
	if usage == "" {
		usage = "no arguments"
	}
	return &failure{fmt.Errorf("%s takes %s, not %d", c.Command.Name, usage, n), "see " + helpOf(c), exitUsage}
}
