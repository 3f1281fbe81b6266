package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// lockFile is the part of package-lock.json that says which packages there are. npm writes the same shape into
// node_modules/.package-lock.json for what it has installed.
type lockFile struct {
	Packages map[string]struct {
		Version   string `json:"version"`
		Integrity string `json:"integrity"`
	} `json:"packages"`
}

// fetchModules makes webapi/node_modules what the lock file says. It needs no network when it already is.
func fetchModules(dir string) error {
	current, err := modulesCurrent(dir)
	if err != nil || current {
		return err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("cannot fetch the web platform's packages: npm is missing; " +
			"install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm; Fedora: dnf install nodejs-npm)")
	}
	cmd := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot fetch the web platform's packages: npm ci: %w\n%s", err, output)
	}
	return nil
}

func modulesCurrent(dir string) (bool, error) {
	want, err := readLock(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return false, err
	}
	have, err := readLock(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for path, pkg := range want.Packages {
		if path == "" {
			continue // the project itself
		}
		if have.Packages[path] != pkg {
			return false, nil
		}
		if _, err := os.Stat(filepath.Join(dir, path, "package.json")); err != nil {
			return false, nil
		}
	}
	return true, nil
}

func readLock(path string) (lockFile, error) {
	var lock lockFile
	text, err := os.ReadFile(path)
	if err != nil {
		return lock, err
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return lock, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return lock, nil
}
