package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// target is what a load asks for.
type target struct {
	address string
	host    string
	path    string
	expect  string // in every body
}

// tally counts what the clients see.
type tally struct {
	mu         sync.Mutex
	last       time.Time
	Requests   int
	Failed     int
	Reasons    map[string]int
	LongestGap time.Duration
}

// load keeps a number of clients asking, each on one connection for as long as the
// server keeps it, until SIGTERM; then it prints the tally. A request that fails is
// counted and never tried again.
func load(arguments []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	t := target{}
	flags.StringVar(&t.address, "address", "127.0.0.1:80", "where to connect to")
	flags.StringVar(&t.host, "host", "localhost", "the Host field")
	flags.StringVar(&t.path, "path", "/", "what to ask for")
	flags.StringVar(&t.expect, "expect", "", "a part of every answer's body")
	clients := flags.Int("clients", 32, "how many clients there are")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	counted := &tally{Reasons: make(map[string]int), last: time.Now()}
	var wg sync.WaitGroup
	for i := range *clients {
		// Every fourth thinks for long: its connection is idle when the server changes.
		pause := 10 * time.Millisecond
		if i%4 == 3 {
			pause = 3 * time.Second
		}
		wg.Go(func() { client(ctx, t, pause, counted) })
	}
	wg.Wait()
	return json.NewEncoder(os.Stdout).Encode(counted)
}

func client(ctx context.Context, t target, pause time.Duration, counted *tally) {
	var conn net.Conn
	var reader *bufio.Reader
	hangUp := func() {
		if conn != nil {
			_ = conn.Close()
			conn = nil
		}
	}
	defer hangUp()
	for ctx.Err() == nil {
		// A connection that the server has closed meanwhile is no loss: any client
		// looks before it sends.
		if conn != nil && closedByPeer(conn) {
			hangUp()
		}
		if conn == nil {
			var err error
			if conn, err = net.DialTimeout("tcp", t.address, 10*time.Second); err != nil {
				counted.failed("cannot connect: " + reason(err))
				wait(ctx, 10*time.Millisecond)
				continue
			}
			reader = bufio.NewReader(conn)
		}
		keep, err := ask(conn, reader, t)
		if err != nil {
			counted.failed(reason(err))
		} else {
			counted.answered()
		}
		if !keep {
			hangUp()
		}
		wait(ctx, rand.N(pause))
	}
}

// ask sends one request and reads its answer; keep says whether another may follow.
func ask(conn net.Conn, reader *bufio.Reader, t target) (keep bool, err error) {
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return false, err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", t.path, t.host); err != nil {
		return false, err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return false, err
	}
	if response.StatusCode != http.StatusOK {
		return !response.Close, fmt.Errorf("status %d", response.StatusCode)
	}
	if !strings.Contains(string(body), t.expect) {
		return !response.Close, errors.New("wrong body")
	}
	return !response.Close, nil
}

// closedByPeer looks for an end or an error on an idle connection, without waiting.
func closedByPeer(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = n == 0 && err == nil || err != nil && err != syscall.EAGAIN
		return true
	})
	return closed || err != nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func reason(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "cut off"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return err.Error()
}

func (c *tally) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.LongestGap = max(c.LongestGap, now.Sub(c.last))
	c.last = now
	c.Requests++
}

func (c *tally) failed(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Failed++
	c.Reasons[why]++
}
