package bundle

import (
	"fmt"
	"os"
	"testing"
)

// bundlerName is the name under which the tests' program is a bundler.
const bundlerName = "bundler"

func TestMain(m *testing.M) {
	if os.Args[0] != bundlerName {
		os.Exit(m.Run())
	}
	if err := ServeBuild(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
