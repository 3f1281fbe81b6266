package config

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writerVariable makes the test binary write an app for ever to the state
// directory that it names.
const writerVariable = "NANO_TEST_WRITE_STATE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerVariable); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

func writeForEver(dir string) {
	for i := 0; ; i++ {
		d, err := DecodeApp("a", fmt.Appendf(nil, `{"hosts": ["a.example"], "root": "/", "enabled": false, "env": {"N": %d, "PAD": %q}}`, i, strings.Repeat("x", i%5000)))
		if err == nil {
			err = WriteApp(dir, d)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

// TestKilledWrite kills a writer at some moment, again and again: what it has
// said it wrote is there, or the next one, and nothing is ever in between.
func TestKilledWrite(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "nano.toml"), "")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), writerVariable+"="+filepath.Join(dir, "state"))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan() // it has begun
		time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, func() { cmd.Process.Kill() })
		last := lines.Text()
		for lines.Scan() {
			last = lines.Text()
		}
		cmd.Wait()

		c, err := Load(options(dir))
		if err != nil || len(c.Apps) != 1 {
			t.Fatalf("after the kill: %+v, %v", c, err)
		}
		var said, got int64
		if _, err := fmt.Sscan(last, &said); err != nil {
			t.Fatalf("the writer said %q", last)
		}
		if got = c.Apps[0].Env["N"].(int64); got != said && got != said+1 {
			t.Errorf("the writer said %d, and %d is there", said, got)
		}
		if entries, _ := os.ReadDir(filepath.Join(dir, "state", "apps.d")); len(entries) > 2 {
			t.Errorf("left over: %v", entries)
		}
	}
}
