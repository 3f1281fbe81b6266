package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/cloudflare/tableflip"
	"github.com/coreos/go-systemd/v22/activation"
)

// The names by which systemd passes sockets, as FileDescriptorName= in a socket unit
// gives them.
const (
	socketHTTP  = "http"
	socketAdmin = "admin"
)

// fromSystemd marks systemd's sockets among those that generations hand on. It is not
// the name of a network, so tableflip never unlinks their paths: they are systemd's.
const fromSystemd = "systemd"

// sockets are what the process listens on.
type sockets struct {
	public []net.Listener
	admin  []net.Listener
}

// close closes them; what another process has of them stays open.
func (s *sockets) close() {
	for _, ln := range append(s.public, s.admin...) {
		_ = ln.Close()
	}
}

// openSockets takes the sockets that an older generation hands on, else those that
// systemd passes by name, else opens its own: public ones at the addresses, which are
// "host:port" or "unix:path", and one for the administrator at a path; "" for none.
func openSockets(fds *tableflip.Fds, addresses []string, admin string) (_ *sockets, err error) {
	s := new(sockets)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.inherit(fds); err != nil {
		return nil, err
	}
	// The environment is cleared either way: what it says is true of this process only.
	if err := s.adopt(fds, activation.Files(true)); err != nil {
		return nil, err
	}
	return s, s.openOwn(fds, addresses, admin)
}

// inherit takes systemd's sockets from the older generation.
func (s *sockets) inherit(fds *tableflip.Fds) error {
	for _, role := range []string{socketHTTP, socketAdmin} {
		for i := 0; ; i++ {
			ln, err := fds.Listener(fromSystemd, role+"/"+strconv.Itoa(i))
			if err != nil {
				return err
			}
			if ln == nil {
				break
			}
			s.add(role, ln)
		}
	}
	return nil
}

func (s *sockets) add(role string, ln net.Listener) {
	if role == socketAdmin {
		s.admin = append(s.admin, ln)
	} else {
		s.public = append(s.public, ln)
	}
}

// adopt takes the sockets that systemd passed and hands them on to later generations.
func (s *sockets) adopt(fds *tableflip.Fds, passed []*os.File) error {
	count := make(map[string]int)
	for _, file := range passed {
		role, err := roleOf(file.Name())
		if err != nil {
			return err
		}
		ln, err := net.FileListener(file)
		if err != nil {
			return fmt.Errorf("cannot listen on the socket %q that systemd passed: %w", file.Name(), err)
		}
		_ = file.Close() // ln has a copy
		s.add(role, ln)
		shared, ok := ln.(tableflip.Listener)
		if !ok {
			return fmt.Errorf("the socket %q that systemd passed is neither TCP nor unix", file.Name())
		}
		// AddListener only hands on: in this process Fds.Listener doesn't return it.
		if err := fds.AddListener(fromSystemd, role+"/"+strconv.Itoa(count[role]), shared); err != nil {
			return err
		}
		count[role]++
	}
	return nil
}

// roleOf says what a socket is for by its name. Without FileDescriptorName= that is
// the unit's name, and without systemd, from another that passes sockets, a number.
func roleOf(name string) (string, error) {
	switch {
	case name == socketHTTP, strings.HasSuffix(name, ".socket"), strings.HasPrefix(name, "LISTEN_FD_"):
		return socketHTTP, nil
	case name == socketAdmin:
		return socketAdmin, nil
	}
	return "", fmt.Errorf("systemd passed a socket named %q: FileDescriptorName= must be %q or %q", name, socketHTTP, socketAdmin)
}

func (s *sockets) openOwn(fds *tableflip.Fds, addresses []string, admin string) error {
	if len(s.public) == 0 {
		for _, address := range addresses {
			ln, err := listen(fds, address, 0o666)
			if err != nil {
				return fmt.Errorf("cannot listen on %s: %w", address, err)
			}
			s.public = append(s.public, ln)
		}
	}
	if len(s.admin) == 0 && admin != "" {
		ln, err := listen(fds, "unix:"+admin, 0o660)
		if err != nil {
			return fmt.Errorf("cannot open the admin socket %s: %w", admin, err)
		}
		s.admin = append(s.admin, ln)
		return giveToGroup(admin)
	}
	return nil
}

// listen opens a socket, or takes it from the older generation. mode is that of a unix
// socket's file.
func listen(fds *tableflip.Fds, address string, mode os.FileMode) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return fds.Listen("tcp", address)
	}
	if strings.HasPrefix(path, "@") {
		return fds.Listen("unix", path)
	}
	ln, err := fds.Listener("unix", path)
	if err != nil {
		return nil, err
	}
	if ln != nil {
		if _, err := os.Stat(path); err == nil {
			return ln, nil
		}
		// Somebody removed the file: nobody can reach the socket any more.
		_ = ln.Close()
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	return listenUnix(fds, path, mode)
}

func listenUnix(fds *tableflip.Fds, path string, mode os.FileMode) (net.Listener, error) {
	// The umask makes the file closed from the first moment on. It is the process's,
	// and this is the start: nothing else makes files yet.
	old := syscall.Umask(0o777 &^ int(mode))
	defer syscall.Umask(old)
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := fds.AddListener("unix", path, ln.(*net.UnixListener)); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// removeStale removes the socket file that a process left behind that is gone.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s is there and is not a socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return errors.New("another process listens there")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// giveToGroup lets the group nano use the admin socket where it exists: the service
// runs in that group anyway, root by hand doesn't.
func giveToGroup(path string) error {
	if os.Getuid() != 0 {
		return nil
	}
	group, err := user.LookupGroup("nano")
	if err != nil {
		return nil
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		return nil
	}
	if err := os.Chown(path, -1, gid); err != nil {
		return fmt.Errorf("cannot give the admin socket to the group nano: %w", err)
	}
	return nil
}
