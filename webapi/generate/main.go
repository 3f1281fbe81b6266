// Command generate bundles NANO's web platform into webapi/dist/prelude.js, which the isolate package embeds, and the
// licences of what went into it into webapi/dist/THIRD_PARTY.txt. It fetches the third-party parts with npm when the
// ones on disk aren't those of the lock file. It owns nothing at run time.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := findWebapi()
	if err != nil {
		return err
	}
	if err := fetchModules(dir); err != nil {
		return err
	}
	script, inputs, err := bundle(dir)
	if err != nil {
		return err
	}
	licences, err := collectLicences(dir, inputs)
	if err != nil {
		return err
	}
	dist := filepath.Join(dir, "dist")
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return fmt.Errorf("cannot make the output folder: %w", err)
	}
	if err := replaceFile(filepath.Join(dist, "prelude.js"), script); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dist, "THIRD_PARTY.txt"), licences)
}

// findWebapi accepts the module's root (go run ./webapi/generate) and webapi itself (go generate).
func findWebapi() (string, error) {
	for _, dir := range []string{"webapi", "."} {
		if _, err := os.Stat(filepath.Join(dir, "js", "index.js")); err == nil {
			return filepath.Abs(dir)
		}
	}
	return "", fmt.Errorf("cannot find webapi/js/index.js: run this in the root of the source tree")
}

// replaceFile leaves a file that is already right alone, so that go build's cache stays good, and never leaves half a
// file behind.
func replaceFile(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(content) {
		return nil
	}
	temp := path + ".tmp"
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		return fmt.Errorf("cannot write the bundle: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("cannot write the bundle: %w", err)
	}
	return nil
}
