package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// found is what a process sees of the machine and may do to it.
type found struct {
	Writable   []string          // of the directories that were tried
	Readable   []string          // of the files that were tried
	Processes  []string          // of other users, by name
	Status     map[string]string // of /proc/self/status
	MayCall    []string          // system calls that should be refused and aren't
	JustInTime bool              // memory may be made executable after it was written
	Sockets    []string          // kinds of sockets that can be opened
}

// probe looks around and writes what it finds, as JSON, to the file it is given. It is
// run in the service's own sandbox: by its ExecStartPre.
func probe(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("probe takes a file to write to")
	}
	f := found{
		Writable:   writable("/", "/etc", "/etc/nano", "/usr", "/usr/bin", "/srv", "/var", "/var/lib", "/var/log", "/var/lib/nano", "/var/cache/nano", "/run", "/run/nano", "/boot", "/root", "/home", "/opt", "/dev", "/dev/shm", "/dev/mqueue", "/proc/sys/kernel", "/sys/kernel", "/sys/fs/cgroup"),
		Readable:   readable("/srv/readable", "/root/secret", "/home/someone/secret", "/etc/shadow", "/proc/1/environ", "/proc/kallsyms", "/dev/sda", "/proc/kmsg"),
		Processes:  otherProcesses(),
		Status:     processStatus("NoNewPrivs", "Seccomp", "CapEff", "CapPrm", "CapBnd", "CapAmb"),
		MayCall:    mayCall(),
		JustInTime: justInTime(),
		Sockets:    sockets(),
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(arguments[0], text, 0o644)
}

func writable(dirs ...string) []string {
	var yes []string
	for _, dir := range dirs {
		path := filepath.Join(dir, "probe-of-the-sandbox")
		if err := os.WriteFile(path, nil, 0o600); err == nil {
			yes = append(yes, dir)
			_ = os.Remove(path)
		}
	}
	return yes
}

func readable(files ...string) []string {
	var yes []string
	for _, file := range files {
		if _, err := os.ReadFile(file); err == nil {
			yes = append(yes, file)
		}
	}
	return yes
}

func otherProcesses() []string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return []string{err.Error()}
	}
	var others []string
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		info, err := os.Stat("/proc/" + entry.Name())
		if err != nil {
			continue // it has ended
		}
		if int(info.Sys().(*syscall.Stat_t).Uid) != os.Getuid() {
			name, _ := os.ReadFile("/proc/" + entry.Name() + "/comm")
			others = append(others, fmt.Sprintf("%s %s", entry.Name(), strings.TrimSpace(string(name))))
		}
	}
	return others
}

func processStatus(fields ...string) map[string]string {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	values := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		for _, field := range fields {
			if field == name {
				values[name] = strings.TrimSpace(value)
			}
		}
	}
	return values
}

// mayCall tries what a service that serves web pages has no business doing. Each call
// is harmless where it is allowed.
func mayCall() []string {
	var yes []string
	try := func(name string, err error) {
		if err == nil {
			yes = append(yes, name)
		}
	}
	try("unshare", syscall.Unshare(syscall.CLONE_NEWUSER))
	try("mount", syscall.Mount("none", "/tmp", "tmpfs", 0, ""))
	try("setuid 0", syscall.Setuid(0))
	try("chroot", syscall.Chroot("/tmp"))
	try("sethostname", syscall.Sethostname([]byte("probe")))
	try("settimeofday", syscall.Settimeofday(&syscall.Timeval{Sec: 1}))
	try("ptrace init", syscall.PtraceAttach(1))
	try("kill init", syscall.Kill(1, 0))
	path := filepath.Join(os.TempDir(), "setuid-probe")
	if err := os.WriteFile(path, nil, 0o700); err == nil {
		try("chmod u+s", syscall.Chmod(path, 0o4700))
		_ = os.Remove(path)
	}
	return yes
}

// justInTime does what a compiler of machine code does.
func justInTime() bool {
	memory, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return false
	}
	return syscall.Mprotect(memory, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC) == nil
}

func sockets() []string {
	kinds := []struct {
		name         string
		family, kind int
	}{
		{"inet", syscall.AF_INET, syscall.SOCK_STREAM},
		{"inet6", syscall.AF_INET6, syscall.SOCK_STREAM},
		{"unix", syscall.AF_UNIX, syscall.SOCK_DGRAM},
		{"netlink", syscall.AF_NETLINK, syscall.SOCK_RAW},
		{"packet", syscall.AF_PACKET, syscall.SOCK_RAW},
		{"raw", syscall.AF_INET, syscall.SOCK_RAW},
	}
	var yes []string
	for _, k := range kinds {
		fd, err := syscall.Socket(k.family, k.kind, 0)
		if err == nil {
			yes = append(yes, k.name)
			_ = syscall.Close(fd)
		}
	}
	return yes
}
