package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// collectLicences returns the copyright text of every package with a file in the bundle. A package without one is an
// error: it could not be shipped.
func collectLicences(dir string, inputs []string) ([]byte, error) {
	var packages []string
	for _, input := range inputs {
		if name := packageOf(input); name != "" && !slices.Contains(packages, name) {
			packages = append(packages, name)
		}
	}
	slices.Sort(packages)

	var out bytes.Buffer
	out.WriteString("The web platform of NANO contains code of these npm packages.\n")
	for _, name := range packages {
		folder := filepath.Join(dir, "node_modules", filepath.FromSlash(name))
		text, err := os.ReadFile(filepath.Join(folder, "package.json"))
		if err != nil {
			return nil, fmt.Errorf("cannot read the licence of %q: %w", name, err)
		}
		var manifest struct{ Version, License string }
		if err := json.Unmarshal(text, &manifest); err != nil {
			return nil, fmt.Errorf("cannot read the licence of %q: %w", name, err)
		}
		licence, err := readLicence(folder)
		if err != nil {
			return nil, fmt.Errorf("cannot read the licence of %q: %w", name, err)
		}
		fmt.Fprintf(&out, "\n%s\n%s %s (%s)\n\n%s\n", strings.Repeat("-", 80), name, manifest.Version, manifest.License,
			bytes.TrimSpace(licence))
	}
	return out.Bytes(), nil
}

// packageOf returns "name" or "@scope/name" of a path below node_modules, "" for our own files.
func packageOf(path string) string {
	rest, found := strings.CutPrefix(filepath.ToSlash(path), "node_modules/")
	if !found {
		return ""
	}
	parts := strings.SplitN(rest, "/", 3)
	if strings.HasPrefix(rest, "@") && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

func readLicence(folder string) ([]byte, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "LICENCE") {
			return os.ReadFile(filepath.Join(folder, entry.Name()))
		}
	}
	return nil, fmt.Errorf("no licence file in %s", filepath.Base(folder))
}
