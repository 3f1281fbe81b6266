package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// stopCommand is for the unit's ExecStop= alone. After a reload the main process isn't
// systemd's own child: systemd would send it SIGTERM and, without waiting, SIGKILL.
func stopCommand() *cli.Command {
	return &cli.Command{
		Name:         "stop",
		Usage:        "end the daemon with that process id, and wait until it has drained",
		ArgsUsage:    "[PID]",
		Hidden:       true,
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := takes(c, 0, 1); err != nil {
				return err
			}
			if c.NArg() == 0 {
				return nil // systemd found it gone
			}
			pid, err := strconv.Atoi(c.Args().First())
			if err != nil || pid < 1 {
				return &failure{fmt.Errorf("%q is no process id", c.Args().First()), "say: systemctl stop nano", exitUsage}
			}
			if err := terminate(pid); err != nil {
				return fmt.Errorf("cannot stop process %d: %w", pid, err)
			}
			return nil
		},
	}
}

// terminate sends SIGTERM to a process, and returns once it has ended.
func terminate(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
