package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
)

// Options are what a process must know before it has read its configuration.
type Options struct {
	// Single says that there is no next generation: SIGHUP and Upgrade call the
	// service's Reload. Process 1, a container's, is always single: the container
	// would end with it.
	Single bool
	// PIDFile is where the process id of the generation that serves is written, for
	// those who have no systemd; "" for nowhere.
	PIDFile string
	// UpgradeTimeout is how long a new generation may take to get ready; 0 is a
	// minute.
	UpgradeTimeout time.Duration
	Log            *slog.Logger
}

// Service is what the daemon serves.
type Service struct {
	// Listen are the public addresses, "host:port" or "unix:path", that are used where
	// systemd passes no socket.
	Listen []string
	// AdminSocket is the path of the socket for Admin, where systemd passes none.
	AdminSocket string
	Admin       http.Handler
	Front       FrontOptions
	// Warm is called when the sockets are open and before the first request; the
	// text is shown as the service's status.
	Warm func(ctx context.Context) (status string, err error)
	// Serving is called once this process has taken over, before its first request.
	Serving func()
	// Probes must succeed for the watchdog to be fed. The daemon adds its own, of the
	// front end and of the admin socket.
	Probes []Probe
	// Reload applies the configuration in this process; for Options.Single.
	Reload func(ctx context.Context) error
	// Close is called when the last request is answered, or has been given up.
	Close func(ctx context.Context) error
	// DrainTimeout is how long requests under way may take when the process stops; 0
	// is 30 seconds. Close gets what is left, and closeTimeout at least.
	DrainTimeout time.Duration
}

const (
	defaultDrain = 30 * time.Second
	closeTimeout = 5 * time.Second
	// How long an idle connection may still bring a request when the process drains.
	// With a successor there is no hurry, and no request should fail; without one
	// somebody waits for the end.
	handOverGrace = 5 * time.Second
	stopGrace     = time.Second
)

// Daemon is the process: at most one can be made.
type Daemon struct {
	opts     Options
	log      *slog.Logger
	notify   notifier
	upgrader *tableflip.Upgrader
	gens     *generations
	parent   *report // nil without an older generation that waits for this one

	signals  chan os.Signal
	stop     chan struct{} // closed by the first signal to stop
	kill     chan struct{} // closed by killNow
	draining chan struct{} // closed when the drain begins
	closed   chan struct{} // closed when no public connection is accepted any more

	killNow func()                  // ends the drain: at the second signal, or without a successor
	serving atomic.Pointer[serving] // set when it begins
}

// New begins the life of the process: it takes over what an older generation hands on,
// and from here on SIGHUP, SIGTERM and SIGINT are dealt with. Call it before the
// configuration is read, and give whatever goes wrong after it to Fail: the older
// generation waits to hear it.
func New(opts Options) (*Daemon, error) {
	opts.Single = opts.Single || os.Getpid() == 1
	d := &Daemon{
		opts:     opts,
		log:      opts.Log,
		notify:   notifier{opts.Log},
		signals:  make(chan os.Signal, 8),
		stop:     make(chan struct{}),
		kill:     make(chan struct{}),
		draining: make(chan struct{}),
		closed:   make(chan struct{}),
	}
	d.killNow = sync.OnceFunc(func() { close(d.kill) })
	signal.Notify(d.signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	var err error
	d.upgrader, err = tableflip.New(tableflip.Options{UpgradeTimeout: opts.UpgradeTimeout, PIDFile: opts.PIDFile})
	if err != nil {
		return nil, fmt.Errorf("cannot take over from the older generation: %w", err)
	}
	if d.parent, err = takeReport(d.upgrader.Fds); err != nil {
		return nil, fmt.Errorf("cannot report to the older generation: %w", err)
	}
	if d.gens, err = newGenerations(d.upgrader, opts.Log); err != nil {
		return nil, d.Fail(err)
	}
	go d.handleSignals()
	return d, nil
}

// Fail tells systemd and the older generation, if there is one, why this process can't
// serve, and returns err. The process should exit then.
func (d *Daemon) Fail(err error) error {
	d.parent.fail(err)
	if d.parent == nil {
		d.notify.failed(err)
	}
	return err
}

// Step says what the start is about, such as "loading apps": it is shown if it takes
// too long or dies.
func (d *Daemon) Step(text string) {
	d.parent.step(text)
	if d.parent == nil {
		d.notify.send(status("Starting: " + text))
	}
}

// Status sets the text that the service manager shows for the running service.
func (d *Daemon) Status(text string) { d.notify.send(status(text)) }

// Successor reports whether an older generation serves until this one has taken over.
func (d *Daemon) Successor() bool { return d.upgrader.HasParent() }

// Single reports whether there is no next generation: Upgrade reloads in this process.
func (d *Daemon) Single() bool { return d.opts.Single }

// Draining is closed when the process begins to drain: whoever streams without end,
// such as to those who follow a log, should come to one.
func (d *Daemon) Draining() <-chan struct{} { return d.draining }

// Closed is closed when this process accepts no public connections any more: whoever
// connects from then on comes to the generation that has taken over.
func (d *Daemon) Closed() <-chan struct{} { return d.closed }

// Upgrade starts a new generation: the program on disk, with the configuration on disk.
// It returns when that one has taken over, and this process drains, or with the reason
// why it has not. Requests that come while one is under way are joined in the next; in
// a process that has been replaced meanwhile the answer is ErrHandedOver.
func (d *Daemon) Upgrade(ctx context.Context) error {
	if !d.opts.Single {
		return d.gens.upgrade(ctx)
	}
	s := d.serving.Load()
	if s == nil || s.svc.Reload == nil {
		return errors.New("this process can't be replaced while it runs: start it again")
	}
	return s.svc.Reload(ctx)
}

// Stats are the counts of the public front end.
func (d *Daemon) Stats() Stats {
	if s := d.serving.Load(); s != nil {
		return s.front.Stats()
	}
	return Stats{}
}

func (d *Daemon) handleSignals() {
	for s := range d.signals {
		if s == syscall.SIGHUP {
			go d.upgradeBySignal()
			continue
		}
		select {
		case <-d.stop:
			d.log.Warn("stopping at once", "signal", s.String())
			d.killNow()
			return
		default:
			d.log.Info("stopping", "signal", s.String())
			close(d.stop)
		}
	}
}

func (d *Daemon) upgradeBySignal() {
	err := d.Upgrade(context.Background())
	if err != nil && !errors.Is(err, ErrHandedOver) && !errors.Is(err, errStopping) {
		d.log.Error("cannot reload", "error", err)
	}
}

// Run serves until ctx ends, a signal to stop comes or a newer generation has taken
// over, and has drained when it returns. An error says why it could not begin, or go
// on. It can be called once.
func (d *Daemon) Run(ctx context.Context, svc Service) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	d.Step("opening sockets")
	socks, err := openSockets(d.upgrader.Fds, svc.Listen, svc.AdminSocket)
	if err != nil {
		return d.Fail(err)
	}
	text, err := svc.warm(ctx)
	if err != nil {
		socks.close()
		if ctx.Err() != nil && d.parent == nil {
			d.gens.stop()
			return nil // it was told to stop before it was ready
		}
		return d.Fail(err)
	}
	s := newServing(d, &svc, socks)
	if err := d.upgrader.Ready(); err != nil {
		socks.close()
		return d.Fail(fmt.Errorf("cannot take over: %w", err))
	}
	d.parent.close()
	if svc.Serving != nil {
		svc.Serving()
	}
	d.serving.Store(s)
	s.begin(ctx)
	d.notify.ready(text)
	go d.gens.run()

	var failure error
	select {
	case <-ctx.Done():
	case <-d.gens.replaced:
	case failure = <-s.failed:
	}
	s.end()
	return failure
}

func (svc *Service) warm(ctx context.Context) (string, error) {
	if svc.Warm == nil {
		return "", nil
	}
	return svc.Warm(ctx)
}

// serving is what runs between ready and exit.
type serving struct {
	d      *Daemon
	svc    *Service
	socks  *sockets
	front  *Front
	admin  *Front
	failed chan error // the first listener that can't go on
	quiet  context.CancelFunc
}

func newServing(d *Daemon, svc *Service, socks *sockets) *serving {
	return &serving{
		d:      d,
		svc:    svc,
		socks:  socks,
		front:  NewFront(svc.Front),
		admin:  NewFront(FrontOptions{Handler: lend(svc.Admin), Workers: 1, Log: d.log}),
		failed: make(chan error, len(socks.public)+len(socks.admin)),
		quiet:  func() {},
	}
}

func (s *serving) begin(ctx context.Context) {
	var accepting sync.WaitGroup
	for _, ln := range s.socks.public {
		accepting.Go(func() { s.serve(ln, s.front.Serve) })
	}
	go func() {
		accepting.Wait()
		close(s.d.closed)
	}()
	for _, ln := range s.socks.admin {
		go s.serve(ln, s.admin.Serve)
	}
	if interval := watchdogInterval(); interval > 0 {
		ctx, cancel := context.WithCancel(ctx)
		s.quiet = cancel
		go watchdog(ctx, s.d.log, interval, s.probes(), func() { s.d.notify.send("WATCHDOG=1") })
	}
}

func (s *serving) probes() []Probe {
	probes := append([]Probe{{"front end", s.front.Probe}}, s.svc.Probes...)
	for _, ln := range s.socks.admin {
		probes = append(probes, Probe{"admin socket", func(ctx context.Context) error { return probeSocket(ctx, ln) }})
	}
	return probes
}

func (s *serving) serve(ln net.Listener, serve func(net.Listener) error) {
	if err := serve(ln); err != nil {
		s.failed <- fmt.Errorf("cannot go on listening on %s: %w", ln.Addr(), err)
	}
}

// end drains, in this order: no watchdog and no new generation any more; no new
// connections, and the open ones come to their end; so do the older generation's; the
// service closes.
func (s *serving) end() {
	s.quiet()
	grace, answering := stopGrace, time.Duration(0)
	select {
	case <-s.d.gens.replaced:
		// The unit lives on: only the other generation speaks for it now. Who asked for it is
		// to have the answer, however little time requests get.
		grace, answering = handOverGrace, closeTimeout
		go s.d.endWithSuccessor()
	default:
		s.d.notify.send("STOPPING=1", status("Draining"))
	}
	s.d.gens.stop()
	close(s.d.draining)
	limit := s.svc.DrainTimeout
	if limit <= 0 {
		limit = defaultDrain
	}
	deadline := time.Now().Add(limit)
	answers := later(deadline, answering)
	var draining sync.WaitGroup
	draining.Go(func() {
		s.within(answers, "drain the admin socket", func(ctx context.Context) error { return s.admin.Drain(ctx, grace) })
	})
	s.within(deadline, "drain", func(ctx context.Context) error { return s.front.Drain(ctx, grace) })
	draining.Wait()
	// The generation before may still drain: a service manager that sees this process
	// end takes it down.
	s.within(later(deadline, time.Second), "wait for the generation before", s.d.upgrader.WaitForParent)
	if s.svc.Close != nil {
		s.within(later(deadline, closeTimeout), "close", s.svc.Close)
	}
}

// later is deadline, but no earlier than in least from now on.
func later(deadline time.Time, least time.Duration) time.Time {
	if at := time.Now().Add(least); at.After(deadline) {
		return at
	}
	return deadline
}

// endWithSuccessor ends the drain when the new generation does, by a crash: nobody accepts
// connections until the service manager starts the next, and it waits for this process.
func (d *Daemon) endWithSuccessor() {
	if d.gens.successor == 0 {
		return
	}
	if err := d.gens.awaitSuccessor(); err != nil {
		d.log.Warn("cannot watch the new generation", "error", err)
		return
	}
	d.log.Warn("the new generation has ended: stopping at once")
	// Systemd doesn't notice the end of a process that isn't its own child, but it does
	// that of this one.
	d.notify.send("MAINPID="+strconv.Itoa(os.Getpid()), status("The new generation has ended"))
	d.notify.barrier()
	d.killNow()
}

// within does something that must end at a deadline, or when the process is told to
// stop a second time. That it had to is worth a line, but no failure of the service.
func (s *serving) within(deadline time.Time, what string, do func(ctx context.Context) error) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	go func() {
		select {
		case <-s.d.kill:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := do(ctx); err != nil {
		s.d.log.Warn("cannot "+what+" in peace", "error", err)
	}
}
