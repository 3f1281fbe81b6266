package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fakeJournald reads entries as journald does.
type fakeJournald struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func listen(t *testing.T, path string) *fakeJournald {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &fakeJournald{t, path, conn}
}

// read returns the fields of the next entry, and whether it came as a file.
func (f *fakeJournald) read() (fields map[string]string, fromFile bool) {
	f.t.Helper()
	if err := f.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		f.t.Fatal(err)
	}
	data, oob := make([]byte, 1<<20), make([]byte, 1024)
	n, oobn, _, _, err := f.conn.ReadMsgUnix(data, oob)
	if err != nil {
		f.t.Fatal(err)
	}
	data = data[:n]
	if oobn > 0 {
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			f.t.Fatal(err)
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(messages) != 1 || len(fds) != 1 || n != 0 {
			f.t.Fatalf("a datagram of %d bytes with the descriptors %v: %v", n, fds, err)
		}
		file := os.NewFile(uintptr(fds[0]), "entry")
		defer file.Close()
		seals, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0)
		if err != nil || seals != unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE {
			f.t.Errorf("the file has the seals %#x, error %v", seals, err)
		}
		if data, err = io.ReadAll(io.NewSectionReader(file, 0, 1<<30)); err != nil {
			f.t.Fatal(err)
		}
		fromFile = true
	}
	fields, err = parseEntry(data)
	if err != nil {
		f.t.Fatalf("%v in %q", err, data)
	}
	return fields, fromFile
}

// parseEntry follows systemd's JOURNAL_NATIVE_PROTOCOL, strictly.
func parseEntry(data []byte) (map[string]string, error) {
	fields := make(map[string]string)
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return nil, errors.New("the last field has no end")
		}
		name, value, isText := strings.Cut(string(data[:end]), "=")
		data = data[end+1:]
		if !isText {
			if len(data) < 8 {
				return nil, fmt.Errorf("%s has no length", name)
			}
			n := binary.LittleEndian.Uint64(data)
			data = data[8:]
			if uint64(len(data)) <= n || data[n] != '\n' {
				return nil, fmt.Errorf("%s does not end after %d bytes", name, n)
			}
			value, data = string(data[:n]), data[n+1:]
		}
		if name == "" || len(name) > 64 || name[0] == '_' || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			return nil, fmt.Errorf("%q is no field name", name)
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		fields[name] = value
	}
	return fields, nil
}

func openNative(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := New(Options{Mode: Native, Version: "1.2.3", Level: slog.LevelDebug, socket: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func TestNative(t *testing.T) {
	f := listen(t, filepath.Join(t.TempDir(), "socket"))
	log := openNative(t, f.path).Logger()
	long := strings.Repeat("line\n", 100000)[:maxText]
	tests := []struct {
		name string
		log  func()
		want map[string]string
	}{
		{"own line", func() { log.Info("ready") }, map[string]string{"MESSAGE": "ready", "PRIORITY": "6"}},
		{"debug", func() { log.Debug("d") }, map[string]string{"MESSAGE": "d", "PRIORITY": "7"}},
		{"notice", func() { log.Log(t.Context(), slog.LevelInfo+2, "n") }, map[string]string{"MESSAGE": "n", "PRIORITY": "5"}},
		{"warning", func() { log.Warn("w") }, map[string]string{"MESSAGE": "w", "PRIORITY": "4"}},
		{"error", func() { log.Error("e") }, map[string]string{"MESSAGE": "e", "PRIORITY": "3"}},
		{"critical", func() { log.Log(t.Context(), slog.LevelError+4, "c") }, map[string]string{"MESSAGE": "c", "PRIORITY": "2"}},
		{"empty", func() { log.Info("") }, map[string]string{"MESSAGE": "", "PRIORITY": "6"}},
		{
			"an app's line", func() { log.Error("no", "app", "blog", "request_id", "r1", "console", true) },
			map[string]string{"MESSAGE": "no", "PRIORITY": "3", "NANO_APP": "blog", "NANO_REQUEST_ID": "r1", "NANO_CONSOLE": "true"},
		},
		{
			"a line about an app", func() { log.Warn("limit hit", "app", "blog", "request_id", "", "limit", "cpu") },
			map[string]string{"MESSAGE": "limit hit", "PRIORITY": "4", "NANO_APP": "blog", "NANO_LIMIT": "cpu"},
		},
		{
			"a stack is one entry", func() { log.Error("Error: no\n    at f (src/index.ts:1:2)", "app", "blog", "console", true) },
			map[string]string{"MESSAGE": "Error: no\n    at f (src/index.ts:1:2)", "PRIORITY": "3", "NANO_APP": "blog", "NANO_CONSOLE": "true"},
		},
		{
			"kinds and groups", func() {
				log.With("a-b", 1).WithGroup("g").Info("m", "took", time.Second, slog.Group("h", "é.x", true), "err", errors.New("a\nb"))
			},
			map[string]string{"MESSAGE": "m", "PRIORITY": "6", "NANO_A_B": "1", "NANO_G_TOOK": "1s", "NANO_G_H____X": "true", "NANO_G_ERR": "a\nb"},
		},
		{
			"a forged field", func() { log.Info("x\nPRIORITY=0\nNANO_APP=shop", "app", "a\nPRIORITY=0", "x=y\nz", "v") },
			map[string]string{"MESSAGE": "x\nPRIORITY=0\nNANO_APP=shop", "PRIORITY": "6", "NANO_APP": "a\nPRIORITY=0", "NANO_X_Y_Z": "v"},
		},
		{
			"a long name", func() { log.Info("m", strings.Repeat("k", 100), "v", "", "nameless") },
			map[string]string{"MESSAGE": "m", "PRIORITY": "6", "NANO_" + strings.Repeat("K", 59): "v"},
		},
		{"a large entry", func() { log.Info(long, "app", "blog") }, map[string]string{"MESSAGE": long, "PRIORITY": "6", "NANO_APP": "blog"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.log()
			got, fromFile := f.read()
			if fromFile != (tt.name == "a large entry") {
				t.Errorf("came as a file: %v", fromFile)
			}
			_, hasCode := got["CODE_FILE"]
			if isConsole := tt.want["NANO_CONSOLE"] != ""; hasCode == isConsole {
				t.Errorf("has CODE_FILE: %v", hasCode)
			}
			if hasCode {
				if line, err := strconv.Atoi(got["CODE_LINE"]); err != nil || line < 100 ||
					filepath.Base(got["CODE_FILE"]) != "native_test.go" || !strings.Contains(got["CODE_FUNC"], "journal.TestNative") {
					t.Errorf("is from %s:%s %s", got["CODE_FILE"], got["CODE_LINE"], got["CODE_FUNC"])
				}
				delete(got, "CODE_FILE")
				delete(got, "CODE_LINE")
				delete(got, "CODE_FUNC")
			}
			tt.want["SYSLOG_IDENTIFIER"], tt.want["NANO_VERSION"] = "nano", "1.2.3"
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// A journald that doesn't read holds nobody up, and is told when it reads again.
func TestNativeStuck(t *testing.T) {
	f := listen(t, filepath.Join(t.TempDir(), "socket"))
	j := openNative(t, f.path)
	const lines = 20000
	for i := range lines {
		j.Logger().Info(strings.Repeat("x", 1000), "i", i)
	}
	// Everything is queued or dropped by now. Read it all.
	got, dropped := 0, 0
	for dropped == 0 {
		fields, _ := f.read()
		if n, ok := fields["NANO_DROPPED"]; ok {
			dropped, _ = strconv.Atoi(n)
		} else if fields["NANO_I"] != "" {
			got++
		} else if fields["MESSAGE"] != "more" {
			t.Fatalf("got %v", fields)
		}
		if got%100 == 0 {
			j.Logger().Info("more")
		}
	}
	if got == 0 || got+dropped < lines {
		t.Errorf("%d lines came and %d were dropped, of %d", got, dropped, lines)
	}
}

// A journald that is started anew may have made its socket anew.
func TestNativeRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	f := listen(t, path)
	j := openNative(t, path)
	j.Logger().Info("one")
	f.read()
	if err := f.conn.Close(); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	f = listen(t, path)
	j.Logger().Info("two")
	if got, _ := f.read(); got["MESSAGE"] != "two" {
		t.Errorf("got %v", got)
	}
}

func TestNativeGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	f := listen(t, path)
	j := openNative(t, path)
	f.conn.Close()
	os.Remove(path)
	for range 1000 {
		j.Logger().Info("nobody is there")
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// Whatever is logged, an entry has the fields that it should have.
func FuzzNative(f *testing.F) {
	f.Add("message", "key", "value")
	f.Add("a\nPRIORITY=0\n", "PRIORITY", "\n")
	f.Add("", "=\n", "\x00\xff\n=")
	f.Fuzz(func(t *testing.T, message, key, value string) {
		q := newQueue()
		h := &nativeHandler{out: q, level: slog.LevelInfo}
		r := slog.NewRecord(time.Time{}, slog.LevelInfo, message, 0)
		r.AddAttrs(slog.String(key, value))
		if err := h.Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		got, err := parseEntry(q.data)
		if err != nil {
			t.Fatalf("%v in %q", err, q.data)
		}
		want := map[string]string{"MESSAGE": message, "PRIORITY": "6", "SYSLOG_IDENTIFIER": "nano"}
		if name := fieldName(key); name != "" && (key != "request_id" || value != "") {
			want[name] = value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkNative(b *testing.B) {
	path := filepath.Join(b.TempDir(), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	j, err := New(Options{Mode: Native, socket: path})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	b.ReportAllocs()
	for b.Loop() {
		j.Logger().LogAttrs(context.Background(), slog.LevelInfo, "hello", slog.String("app", "blog"), slog.String("request_id", "0123456789abcdef"))
	}
}
