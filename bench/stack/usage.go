package stack

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what all processes of a stack use.
type Usage struct {
	Processes int
	CPU       time.Duration // since they were started
	RSS       int64         // bytes; what they share counts for each
	PSS       int64         // bytes; what they share counts once, in parts
	Private   int64         // bytes that no other process on the machine shares
}

// CPU returns the processor time of all processes of the stack so far, to the
// nanosecond. That of child processes that have ended is missing.
func (s *Stack) CPU() (time.Duration, error) {
	pids, err := s.pids()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		sum += cpuTime(pid)
	}
	return sum, nil
}

// Usage returns what the stack uses now.
func (s *Stack) Usage() (Usage, error) {
	pids, err := s.pids()
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Processes: len(pids)}
	for _, pid := range pids {
		u.CPU += cpuTime(pid)
		if err := u.addMemory(pid); err != nil {
			return Usage{}, fmt.Errorf("cannot see what process %d uses: %w", pid, err)
		}
	}
	return u, nil
}

// pids are the members of the process groups that the stack's processes lead.
func (s *Stack) pids() ([]int, error) {
	groups := make(map[int]bool, len(s.processes))
	for _, p := range s.processes {
		groups[p.cmd.Process.Pid] = true
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if group, err := unix.Getpgid(pid); err == nil && groups[group] {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// cpuTime reads the clock that the kernel keeps for each process (see
// clock_getcpuclockid(3)); 0 if the process is gone.
func cpuTime(pid int) time.Duration {
	const cpuClockSched = 2
	var now unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClockSched), &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

func (u *Usage) addMemory(pid int) error {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return err
	}
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) != 3 {
			continue
		}
		kb, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "Rss:":
			u.RSS += kb << 10
		case "Pss:":
			u.PSS += kb << 10
		case "Private_Clean:", "Private_Dirty:":
			u.Private += kb << 10
		}
	}
	return nil
}
