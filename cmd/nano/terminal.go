package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// What terminals understand.
const (
	home       = "\x1b[H"
	clearBelow = "\x1b[J"
	clearRight = "\x1b[K"
	bold       = "\x1b[1m"
	plain      = "\x1b[m"
	enterView  = "\x1b[?1049h\x1b[?25l" // the other screen, without a cursor
	leaveView  = "\x1b[?25h\x1b[?1049l"
)

// canDraw reports whether w is a terminal with a screen.
func canDraw(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// screenSize is how many columns and lines a terminal has.
func screenSize(f *os.File) (columns, lines int) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 80, 24
	}
	return int(ws.Col), int(ws.Row)
}

// keys makes a terminal give every key at once, and reads them until the program ends.
// restore makes it as it was.
func keys(f *os.File) (pressed <-chan byte, restore func(), err error) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, nil, err
	}
	raw := *before
	raw.Lflag &^= unix.ICANON | unix.ECHO
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, nil, err
	}
	ch := make(chan byte)
	go func() {
		var b [1]byte
		for {
			if n, err := f.Read(b[:]); n == 0 || err != nil {
				return
			}
			ch <- b[0]
		}
	}()
	return ch, func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}
