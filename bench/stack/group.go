package stack

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Group is a process of a stack with all that it has started.
type Group struct {
	Name string
	Gone bool  // nothing of it runs any more
	RSS  int64 // bytes; what its processes share counts for each
}

// Groups returns the groups of the stack, in the order in which they were
// started. It costs so little that it can be asked many times a second.
func (s *Stack) Groups() ([]Group, error) {
	pids, err := s.pids()
	if err != nil {
		return nil, err
	}
	held := make(map[int]int64)
	for _, pid := range pids {
		if group, err := unix.Getpgid(pid); err == nil {
			held[group] += resident(pid)
		}
	}
	groups := make([]Group, len(s.processes))
	for i, p := range s.processes {
		rss := held[p.cmd.Process.Pid]
		// A process that has ended, and wasn't waited for, holds nothing.
		groups[i] = Group{Name: p.name, Gone: rss == 0, RSS: rss}
	}
	return groups, nil
}

// Kill ends the group of this name at once.
func (s *Stack) Kill(name string) error {
	for _, p := range s.processes {
		if p.name == name {
			return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		}
	}
	return fmt.Errorf("the stack has no process %q", name)
}

// resident is how many bytes of a process are in memory; 0 if it is gone.
func resident(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
