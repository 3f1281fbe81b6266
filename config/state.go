package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// stateApps is the folder of the state directory that holds apps.
func stateApps(stateDir string) string { return filepath.Join(stateDir, "apps.d") }

// ReadApp returns an app of the state directory as it was written. If there is
// none of that name the error is fs.ErrNotExist.
func ReadApp(stateDir, name string) (*Draft, error) {
	path, err := statePath(stateDir, name)
	if err != nil {
		return nil, err
	}
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read app %q: %w", name, err)
	}
	d := &decoder{file: path}
	root, faults, _ := parseTOML(data)
	d.faults(faults)
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	if apps, ok := root.get("apps"); ok && apps.value.kind == table {
		if app, ok := apps.value.get(name); ok && app.value.kind == table {
			return &Draft{name, path, app.value}, nil
		}
	}
	d.problem(position{1, 1}, "the file has no table [apps.%s]; add it", name)
	return nil, d.problems
}

// WriteApp writes an app to the state directory, so that whatever happens there
// is either what was or all of the new one. Load the configuration with it
// first: what doesn't load can't be served. Writes must not run at once.
func WriteApp(stateDir string, draft *Draft) error {
	commit, _, err := StageApp(stateDir, draft)
	if err != nil {
		return err
	}
	return commit()
}

// StageApp is the first part of WriteApp, which takes the room on disk; commit is the
// second. discard drops what was not committed.
func StageApp(stateDir string, draft *Draft) (commit func() error, discard func(), err error) {
	path, err := statePath(stateDir, draft.name)
	if err != nil {
		return nil, nil, err
	}
	explain := func(err error) error {
		if err != nil {
			err = fmt.Errorf("cannot write app %q: %w", draft.name, err)
		}
		return err
	}
	dir := filepath.Dir(path)
	if err := makeFolder(dir); err != nil {
		return nil, nil, explain(err)
	}
	// A temporary file of a killed write is overwritten by the next one, and
	// its dot keeps Load from reading it.
	temp := filepath.Join(dir, "."+draft.name+".toml.new")
	if err := writeSynced(temp, draft.TOML()); err != nil {
		return nil, nil, explain(errors.Join(err, removeIfThere(temp)))
	}
	commit = func() error {
		if err := os.Rename(temp, path); err != nil {
			return explain(errors.Join(err, removeIfThere(temp)))
		}
		return explain(syncDir(dir))
	}
	return commit, func() { _ = removeIfThere(temp) }, nil
}

// RemoveApp removes an app from the state directory. If there is none of that
// name the error is fs.ErrNotExist. It must not run at once with a write.
func RemoveApp(stateDir, name string) error {
	path, err := statePath(stateDir, name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("cannot remove app %q: %w", name, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("cannot remove app %q for good: %w", name, err)
	}
	return nil
}

// statePath returns the file of an app. It takes no name that could lead to
// another folder.
func statePath(stateDir, name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("%w (%w)", err, fs.ErrNotExist)
	}
	return filepath.Join(stateApps(stateDir), name+".toml"), nil
}

// makeFolder makes a folder for nobody else to read, since references to
// secrets stand in its files, and makes its name durable.
func makeFolder(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
