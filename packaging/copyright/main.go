// Command copyright prints the copyright file of a package: NANO's own licence, and
// those of everything that is linked into the binary it is given. It owns nothing at
// run time. A part without a licence is an error: it could not be shipped.
package main

import (
	"bytes"
	"debug/buildinfo"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// v8 has the licences of V8 and of what its library contains, which the Go module that
// brings the library leaves out.
//
//go:embed v8.txt
var v8 []byte

// apacheText is where Debian has the licence that a package there must not repeat; other
// packages have it beside this file.
const apacheText = "/usr/share/common-licenses/Apache-2.0 or the file LICENSE"

const rule = "--------------------------------------------------------------------------------"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: copyright BINARY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

func run(binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("cannot read what %s was built from: %w", binary, err)
	}
	var out bytes.Buffer
	out.WriteString("NANO, https://github.com/nano-runtime/nano\n\n" +
		"Copyright: the NANO authors\n" +
		"License: Apache-2.0, whose text is in " + apacheText + "\n\n" +
		"The program contains the parts that follow, each under its own licence.\n")
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("cannot find the Go distribution: %w", err)
	}
	if err := addLicence(&out, "Go standard library "+runtime.Version(), strings.TrimSpace(string(goroot))); err != nil {
		return err
	}
	for _, module := range info.Deps {
		dir, err := folderOf(module.Path + "@" + module.Version)
		if err != nil {
			return err
		}
		if err := addLicence(&out, module.Path+" "+module.Version, dir); err != nil {
			return err
		}
	}
	out.Write(v8)
	platform, err := os.ReadFile("webapi/dist/THIRD_PARTY.txt")
	if err != nil {
		return fmt.Errorf("cannot read the licences of the npm packages: %w", err)
	}
	fmt.Fprintf(&out, "\n%s\n%s", rule, platform)
	_, err = os.Stdout.Write(out.Bytes())
	return err
}

// folderOf returns where the module cache has a module.
func folderOf(module string) (string, error) {
	text, err := exec.Command("go", "mod", "download", "-json", module).Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the source of %s: %w", module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(text, &found); err != nil {
		return "", fmt.Errorf("cannot find the source of %s: %w", module, err)
	}
	return found.Dir, nil
}

// addLicence writes the licence and notice files of a part, which are at its top.
func addLicence(out *bytes.Buffer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read the licence of %s: %w", name, err)
	}
	fmt.Fprintf(out, "\n%s\n%s\n", rule, name)
	found := false
	for _, entry := range entries {
		file, isNotice := strings.ToUpper(entry.Name()), false
		switch {
		case entry.IsDir():
			continue
		case strings.HasPrefix(file, "NOTICE"):
			isNotice = true
		case strings.HasPrefix(file, "LICENSE"), strings.HasPrefix(file, "LICENCE"), strings.HasPrefix(file, "COPYING"):
		default:
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return fmt.Errorf("cannot read the licence of %s: %w", name, err)
		}
		fmt.Fprintf(out, "\n%s\n", shorten(bytes.TrimSpace(text)))
		found = found || !isNotice
	}
	if !found {
		return fmt.Errorf("cannot ship %s: no licence file in its module", name)
	}
	return nil
}

// shorten leaves of the Apache licence who has the copyright.
func shorten(licence []byte) []byte {
	if !bytes.HasPrefix(licence, []byte("Apache License")) {
		return licence
	}
	short := []byte("Apache License, Version 2.0: " + apacheText)
	for line := range bytes.Lines(licence) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("Copyright ")) && !bytes.ContainsAny(line, "[{") {
			short = append(append(short, '\n'), line...)
		}
	}
	return short
}
