package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a verb before its arguments, where the library wants
// them: people write them where they come to mind.
func flagsFirst(app *cli.App, args []string) []string {
	args = neverRun(args)
	commands, flags := app.Commands, app.Flags
	i := 1
	for ; i < len(args); i++ {
		if strings.HasPrefix(args[i], "-") {
			if args[i] == "--" {
				return args
			}
			if wantsValue(flags, args[i]) {
				i++
			}
			continue
		}
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[i]) })
		if at < 0 {
			break
		}
		commands, flags = commands[at].Subcommands, commands[at].Flags
		if len(commands) == 0 {
			i++
			break
		}
	}
	if len(commands) > 0 || i >= len(args) {
		return args // no verb yet, or nothing after it
	}
	var first, rest []string
	for ; i < len(args); i++ {
		switch {
		case args[i] == "--":
			rest = append(rest, args[i:]...)
			i = len(args)
		case len(args[i]) > 1 && args[i][0] == '-':
			first = append(first, args[i])
			if wantsValue(flags, args[i]) && i+1 < len(args) {
				i++
				first = append(first, args[i])
			}
		default:
			rest = append(rest, args[i])
		}
	}
	if n := len(first); n > 0 && first[n-1] == completing {
		first, rest = first[:n-1], append(rest, completing)
	}
	head := args[:len(args)-len(first)-len(rest)]
	return slices.Concat(head, first, rest)
}

// neverRun keeps a command line that is being completed from being run: behind "--" the
// library takes its own sign for an argument. It also stumbles over a flag of which only
// the beginning is there; what that may be it looks up in os.Args.
func neverRun(args []string) []string {
	n := len(args) - 1
	if args[n] != completing {
		return args
	}
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--" })
	if n = len(args) - 1; n > 1 && strings.HasPrefix(args[n-1], "-") {
		args = slices.Delete(args, n-1, n)
	}
	return args
}

// completing is what the library's completion puts last on a command line.
const completing = "--generate-bash-completion"

// wantsValue reports whether the argument after this one is the value of its flag.
func wantsValue(flags []cli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	takesValue := func(name string) (known, value bool) {
		for _, f := range flags {
			if slices.Contains(f.Names(), name) {
				_, isBool := f.(*cli.BoolFlag)
				return true, !isBool
			}
		}
		return false, false
	}
	known, value := takesValue(name)
	if !known && len(name) > 1 && !strings.HasPrefix(arg, "--") {
		_, value = takesValue(name[len(name)-1:]) // -fn 10
	}
	return value
}
