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
	Alone     int64         // bytes that it would take if no other stack ran the same programs
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
	shared := make(map[mapping]int64)
	for _, pid := range pids {
		u.CPU += cpuTime(pid)
		if err := u.addMemory(pid); err != nil {
			return Usage{}, fmt.Errorf("cannot see what process %d uses: %w", pid, err)
		}
		if err := addShared(shared, pid); err != nil {
			return Usage{}, fmt.Errorf("cannot see what process %d uses: %w", pid, err)
		}
	}
	for _, size := range shared {
		u.Alone += size
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

// mapping is a part of a file; without a file it is what a process has for itself, or shares
// with those that it was forked from.
type mapping struct {
	pid          int // 0: a file's
	file, offset string
}

// addShared notes how much of each mapping is in memory, of a part of a file that several
// processes share the most that one of them has. See proc_pid_smaps(5).
func addShared(all map[mapping]int64, pid int) error {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return err
	}
	var at, own mapping
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) >= 5 && !strings.HasSuffix(fields[0], ":") { // address, rights, offset, device, inode
			own = mapping{pid: pid}
			if at = own; fields[4] != "0" {
				at = mapping{file: fields[3] + " " + fields[4], offset: fields[2]}
			}
			continue
		}
		if len(fields) != 3 {
			continue
		}
		kb, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue
		}
		switch {
		case at == own:
			if fields[0] == "Pss:" {
				all[own] += kb << 10
			}
		case strings.HasPrefix(fields[0], "Private_"):
			all[own] += kb << 10
		case strings.HasPrefix(fields[0], "Shared_"):
			part := mapping{file: at.file, offset: at.offset + fields[0]}
			all[part] = max(all[part], kb<<10)
		}
	}
	return nil
}
