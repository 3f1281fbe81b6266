package assets

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A folder is an open directory. Everything is opened through it, so that the
// kernel keeps names and symlinks from leading out of it.
type folder struct {
	dev, ino uint64
	dir      *os.File // nil where root is used
	conn     syscall.RawConn
	ignore   []rule   // of .assetsignore
	root     *os.Root // where the kernel has no openat2 or a sandbox forbids it
}

func openFolder(path string) (*folder, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir}
	if f.conn, err = dir.SyscallConn(); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	if fd, err := f.openat2(".", unix.O_PATH); err == nil {
		unix.Close(fd)
		fi, err := dir.Stat()
		if err != nil {
			return nil, errors.Join(err, dir.Close())
		}
		f.identify(fi)
		return f, nil
	}
	dir.Close()
	return openRoot(path)
}

// openRoot does with os.Root what openFolder does with one system call a file.
func openRoot(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	fi, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	f := &folder{root: root}
	f.identify(fi)
	return f, nil
}

func (f *folder) identify(fi fs.FileInfo) {
	st := fi.Sys().(*syscall.Stat_t)
	f.dev, f.ino = uint64(st.Dev), st.Ino
}

// isAt reports whether path leads to this folder.
func (f *folder) isAt(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && f.dev == uint64(st.Dev) && f.ino == st.Ino
}

func (f *folder) close() error {
	if f.root != nil {
		return f.root.Close()
	}
	return f.dir.Close()
}

func (f *folder) openat2(name string, flags uint64) (fd int, err error) {
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	// Something is renamed while the kernel walks a "..": it asks to be asked again.
	const tries = 16
	cerr := f.conn.Control(func(dir uintptr) {
		for range tries {
			fd, err = unix.Openat2(int(dir), name, &how)
			if err != unix.EINTR && err != unix.EAGAIN {
				return
			}
		}
	})
	if cerr != nil {
		return -1, os.ErrClosed // what os calls it only sometimes
	}
	return fd, err
}

// A file is an open regular file.
type file struct {
	fd   int
	from *os.File // owns fd, if it isn't nil
	stat unix.Stat_t
}

var errIsFolder = errors.New("is a folder")

// open opens a regular file; a folder is errIsFolder.
func (f *folder) open(name string) (*file, error) {
	// Not to wait for the writer of a FIFO.
	const flags = unix.O_RDONLY | unix.O_NONBLOCK
	o := new(file)
	if f.root != nil {
		from, err := f.root.OpenFile(name, flags, 0)
		if err != nil {
			return nil, err
		}
		o.from, o.fd = from, int(from.Fd())
	} else {
		fd, err := f.openat2(name, flags)
		if err != nil {
			return nil, err
		}
		o.fd = fd
	}
	err := unix.Fstat(o.fd, &o.stat)
	if err == nil {
		switch o.stat.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			return o, nil
		case unix.S_IFDIR:
			err = errIsFolder
		default:
			err = fs.ErrNotExist
		}
	}
	o.close()
	return nil, err
}

// osFile is the file as one that can be sent without being read.
func (o *file) osFile() *os.File {
	if o.from == nil {
		o.from = os.NewFile(uintptr(o.fd), "")
	}
	return o.from
}

func (o *file) close() {
	// It was only read: there is nothing to lose.
	if o.from != nil {
		o.from.Close()
	} else {
		unix.Close(o.fd)
	}
}

func (o *file) modified() time.Time { return time.Unix(o.stat.Mtim.Unix()) }
