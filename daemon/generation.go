package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
	"golang.org/x/sys/unix"
)

// ErrHandedOver is returned by Upgrade in a process that has been replaced: the new
// generation listens on the same sockets and can be asked again.
var ErrHandedOver = errors.New("a newer generation has taken over")

var errStopping = errors.New("the daemon is stopping")

// generations starts new generations of the program, one at a time. Its owner is the
// goroutine of run; everybody else sends requests.
type generations struct {
	upgrader *tableflip.Upgrader
	report   *report // of the generation that this one starts
	notify   notifier
	log      *slog.Logger

	requests chan *request
	stopping chan struct{} // closed by stop
	stopOnce sync.Once
	replaced chan struct{} // closed once another generation serves

	successor int // its process id, 0 if it didn't tell; set before replaced is closed
}

// request asks for a generation that was started after the request was made.
type request struct{ done chan error }

func newGenerations(upgrader *tableflip.Upgrader, log *slog.Logger) (*generations, error) {
	report, err := newReport()
	if err != nil {
		return nil, err
	}
	if err := upgrader.AddFile(reportName, report.file); err != nil {
		return nil, fmt.Errorf("cannot hand on the report: %w", err)
	}
	return &generations{
		upgrader: upgrader,
		report:   report,
		notify:   notifier{log},
		log:      log,
		requests: make(chan *request),
		stopping: make(chan struct{}),
		replaced: make(chan struct{}),
	}, nil
}

// upgrade starts a new generation and waits until it has taken over, or has failed: then
// the error says why and this one goes on. One that is asked for while another is on
// its way comes after it; those that were asked for meanwhile are one.
func (g *generations) upgrade(ctx context.Context) error {
	r := &request{done: make(chan error, 1)}
	select {
	case g.requests <- r:
	case <-g.replaced:
		return ErrHandedOver
	case <-g.stopping:
		return g.whyStopping()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// whyStopping tells a generation that was replaced from one that ends for good.
func (g *generations) whyStopping() error {
	select {
	case <-g.replaced:
		return ErrHandedOver
	default:
		return errStopping
	}
}

// stop ends the upgrade under way and refuses others. Without a successor, the files of
// unix sockets are gone then.
func (g *generations) stop() {
	g.stopOnce.Do(func() { close(g.stopping) })
	g.upgrader.Stop()
	<-g.upgrader.Exit()
}

// run serves requests until this generation stops or is replaced. The process must be
// ready before.
func (g *generations) run() {
	var waiting []*request
	for {
		if len(waiting) == 0 {
			select {
			case r := <-g.requests:
				waiting = append(waiting, r)
			case <-g.stopping:
				return
			}
		}
		// The one before must be gone first: tableflip keeps it at two processes.
		waiting, _ = g.during(waiting, g.waitForParent)
		late, err := g.during(nil, g.attempt)
		for _, r := range waiting {
			r.done <- err
		}
		if err == nil {
			g.handOver(late)
			return
		}
		waiting = late
	}
}

// during adds the requests that come in to list while do runs. do must end soon once
// the generation is stopping.
func (g *generations) during(list []*request, do func() error) ([]*request, error) {
	done := make(chan error, 1)
	go func() { done <- do() }()
	for {
		select {
		case r := <-g.requests:
			list = append(list, r)
		case err := <-done:
			return list, err
		}
	}
}

func (g *generations) waitForParent() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-g.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return g.upgrader.WaitForParent(ctx)
}

// attempt starts one generation and waits for what becomes of it.
func (g *generations) attempt() error {
	select {
	case <-g.stopping:
		return errStopping
	default:
	}
	g.notify.reloading()
	if err := g.report.reset(); err != nil {
		return err
	}
	err := g.startGeneration()
	said, readErr := g.report.read()
	if err == nil {
		// The new one says so itself; but this process must not exit before systemd
		// knows.
		if said.pid != 0 {
			g.notify.send(fmt.Sprintf("MAINPID=%d", said.pid))
		}
		return nil
	}
	select {
	case <-g.stopping:
		return errStopping
	default:
	}
	err = errors.Join(fmt.Errorf("the new generation did not start: %w", said.explain(err)), readErr)
	g.notify.ready("Serving on: " + err.Error())
	return err
}

// startGeneration is tableflip's Upgrade, which may not have noticed yet that the
// parent is gone when it has just told us so.
func (g *generations) startGeneration() error {
	for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		err := g.upgrader.Upgrade()
		if err == nil || err.Error() != "parent hasn't exited" || time.Now().After(deadline) {
			return err
		}
	}
}

// handOver passes those who asked while the new generation was starting on to it: it may
// have read its configuration before they asked.
func (g *generations) handOver(late []*request) {
	said, err := g.report.read()
	g.successor = said.pid
	close(g.replaced)
	for _, r := range late {
		r.done <- ErrHandedOver
	}
	if len(late) == 0 {
		return
	}
	if err == nil && said.pid != 0 {
		err = syscall.Kill(said.pid, syscall.SIGHUP)
	}
	if err != nil {
		g.log.Warn("cannot pass a reload on to the new generation", "error", err)
	}
}

// awaitSuccessor waits until the generation that replaced this one has ended.
func (g *generations) awaitSuccessor() error {
	fd, err := unix.PidfdOpen(g.successor, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
