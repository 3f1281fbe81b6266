package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/bench/stack"
)

// machine is what a run was made on.
type machine struct {
	date     time.Time
	cpu      string
	cores    int
	memory   uint64 // bytes
	system   string
	kernel   string
	versions []string
}

func describeMachine(t stack.Tools) machine {
	m := machine{date: time.Now(), cpu: field("/proc/cpuinfo", "model name", ":"), cores: runtime.NumCPU(), system: strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`)}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.memory = uint64(info.Totalram) * uint64(info.Unit)
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.kernel = unix.ByteSliceToString(name.Release[:])
	}
	for _, p := range []struct {
		name string
		args []string
	}{
		{"", []string{t.Nano, "version"}},
		{"", []string{t.Deno, "--version"}},
		{"Node ", []string{t.Node, "--version"}},
		{"", []string{t.Workerd, "--version"}},
		{"", []string{t.Nginx, "-v"}},
		{"Caddy ", []string{t.Caddy, "version"}},
	} {
		if p.args[0] == "" {
			continue
		}
		out, err := exec.Command(p.args[0], p.args[1:]...).CombinedOutput()
		if err != nil {
			continue
		}
		line, _, _ := bytes.Cut(out, []byte("\n"))
		m.versions = append(m.versions, p.name+strings.TrimPrefix(string(line), "nginx version: "))
	}
	m.versions = append(m.versions, strings.Replace(runtime.Version(), "go", "Go ", 1))
	return m
}

// loadAverage is how many processes wanted to run in the last minute; 0 if the
// kernel doesn't say.
func loadAverage() float64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return float64(info.Loads[0]) / (1 << 16) // fixed point: SI_LOAD_SHIFT
}

// field is the value of the first line of a file that begins with a name.
func field(path, name, mark string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range bytes.Lines(data) {
		key, value, ok := strings.Cut(string(line), mark)
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func (m machine) print(w io.Writer) {
	fmt.Fprintf(w, "\n## Machine\n\n%s, %d cores, %.0f GB of memory, %s, Linux %s; %s.\n\n%s.\n",
		m.cpu, m.cores, float64(m.memory)/1e9, m.system, m.kernel, m.date.Format("2 January 2006"), strings.Join(m.versions, ", "))
}
