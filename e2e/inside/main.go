// Command inside is the part of the end-to-end tests that runs in a container: a
// load, a name server, and a look at the walls of a sandbox from within.
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func(arguments []string) error{
		"load":  load,
		"names": serveNames,
		"probe": probe,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: inside load|names|probe")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}
