package engine

import (
	"fmt"
	"math"
	"net/netip"
	"sync/atomic"
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

const (
	eventsPerWait   = 512  // replies that share one reading of the clock
	eventsPerSend   = 16   // replies handled before the loop looks whether a send is due
	workPerTurn     = 64   // connections opened, or requests planned, before the loop looks for replies
	connectsAtOnce  = 1024 // handshakes in flight while arming
	provesAtOnce    = 128  // echoes in flight while proving: thousands of threads woken at once would wait for one another
	readBytes       = 64 << 10
	maxRequests     = 2 << 20 // unsettled at once; 56 bytes each, of which only those in use take memory
	requestsToSpare = 1024
	timerSlack      = 1 // ns, so that the kernel does not gather our wake-ups with others
)

// Loop is the epoll engine: one thread, one flat array of connections, and nothing on the path of a request that
// allocates, locks or formats.
type Loop struct {
	cfg     Config
	pacer   pacing.Pacer
	clock   Clock
	waiter  waiter
	bell    bell
	stopped atomic.Bool

	events      []unix.EpollEvent
	connections []connection
	slab        slab
	out         []byte // the record being sent
	expected    []byte // the record being checked
	in          []byte
	targets     []sockaddr
	sources     []sockaddr

	now    int64 // ns, read right after the last wait
	due    int64 // ns, when pump wants to be called
	pump   func()
	maxGap int64 // ns

	open      int // connections verified and not lost
	verified  int // at arming
	connected int
	arming    int   // connections neither verified nor failed
	shaking   int   // handshakes in flight
	dialled   int   // connections that had their first attempt
	deadline  int64 // ns, of arming
	resting   [mostRetries]ring
	retries   int64
	syns      [3]int64
	armFailed errs.Tally
	tally     errs.Tally
	connect   *hist.Histogram
	loopLag   *hist.Histogram
	surplus   int64
	integrity Integrity
	strange   map[int32]*wire.Reader // what is being received that nobody asked for, by connection
	proved    Proved
	proving   int // echoes in flight

	ledger  *ledger
	churn   *churn   // nil unless that workload runs
	cycle   *cycle   // the same of the workload closed
	ceiling *Ceiling // of a calibration
}

var _ Engine = (*Loop)(nil)

// New makes an engine for a share; it opens no connection yet.
func New(cfg Config) (*Loop, error) {
	pacer, err := pacing.New(cfg.Arrival, cfg.Rate, cfg.Phase, cfg.Seed, uint64(cfg.FirstConnection))
	if err != nil {
		return nil, err
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an epoll: %w", err)
	}
	b, err := newBell(ep)
	if err != nil {
		_ = unix.Close(ep)
		return nil, err
	}
	l := &Loop{
		cfg: cfg, pacer: pacer, clock: NewClock(), waiter: waiter{ep: ep}, bell: b,
		events:      make([]unix.EpollEvent, eventsPerWait),
		connections: make([]connection, cfg.Connections),
		slab:        newSlab(requestsFor(cfg)),
		out:         wire.NewBuffer(cfg.PayloadBytes, cfg.Seed),
		expected:    wire.NewBuffer(cfg.PayloadBytes, cfg.Seed),
		in:          make([]byte, readBytes),
		connect:     hist.New(),
		loopLag:     hist.New(),
		strange:     map[int32]*wire.Reader{},
		due:         pacing.Never,
	}
	for i := range l.connections {
		l.connections[i] = connection{fd: -1, waiting: emptyList, wire: emptyList}
	}
	for _, target := range cfg.Targets {
		l.targets = append(l.targets, sockaddrOf(target))
	}
	for _, source := range cfg.Sources {
		l.sources = append(l.sources, sockaddrOf(netip.AddrPortFrom(source, 0)))
	}
	return l, nil
}

// requestsFor bounds the queue: what is offered within one timeout to a server that answers nothing, what may be on the
// wire besides, and one for each connection while arming.
func requestsFor(cfg Config) int {
	offered := math.Min(cfg.Rate*cfg.Timeout.Seconds()*1.1, maxRequests)
	onWire := math.Min(float64(cfg.Active)*float64(cfg.Pipeline), maxRequests)
	return max(min(int(offered+onWire)+requestsToSpare, maxRequests), cfg.Connections+requestsToSpare)
}

// Stop implements Engine.
func (l *Loop) Stop() {
	l.stopped.Store(true)
	l.bell.ring()
}

// Close implements Engine.
func (l *Loop) Close() {
	for i := range l.connections {
		if fd := l.connections[i].fd; fd >= 0 {
			closeSocket(fd)
			l.connections[i].fd = -1
		}
	}
	_ = unix.Close(l.waiter.ep)
	_ = unix.Close(l.bell.fd)
}

// begin readies the thread and the clock for a phase.
func (l *Loop) begin() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlack, 0, 0, 0) // coarser timers are no reason to give up
	l.now = l.clock.Now()
	l.due = pacing.Never
	l.pump = nil
}

// poll waits until deadline for events and handles them. It keeps the longest time that the loop was busy, or asleep beyond
// its deadline: as late as that can a send or a reading of the clock have been.
func (l *Loop) poll(deadline int64) int {
	before := l.clock.Now()
	n, errno := l.waiter.wait(l.events, deadline-before)
	busy := before - l.now
	l.now = l.clock.Now()
	late := max(busy, l.now-max(deadline, before))
	l.maxGap = max(l.maxGap, late)
	l.loopLag.Record(late)
	if errno != 0 { // EINTR; the others would be defects of ours, and the deadlines still end the phase
		return 0
	}
	for i := range l.events[:n] {
		if i%eventsPerSend == 0 && l.due != pacing.Never && l.due <= l.clock.Now() {
			l.pump()
		}
		e := &l.events[i]
		if e.Fd < 0 {
			continue // the bell
		}
		if c := &l.connections[e.Fd]; c.generation == uint32(e.Pad) && c.fd >= 0 {
			l.handle(e.Fd, c, e.Events)
		}
	}
	return n
}

// handle does what an event allows. An edge may tell of several things, and comes once.
func (l *Loop) handle(i int32, c *connection, events uint32) {
	generation := c.generation
	if c.state == connecting {
		l.shaken(i, c)
	}
	if events&incoming != 0 && c.generation == generation {
		l.receive(i, c, events&ending != 0)
	}
	if c.stuck && events&unix.EPOLLOUT != 0 && c.generation == generation {
		if c.stuck = false; l.cfg.Workload != Calibrate { // which sends in its own time
			l.flush(i, c)
		}
	}
}

// expire settles what was not answered within the timeout.
func (l *Loop) expire(now int64) {
	timeout := int64(l.cfg.Timeout)
	for i := l.slab.oldest; i != nothing && l.slab.requests[i].intended+timeout <= now; i = l.slab.oldest {
		l.retire(i, timedOut)
	}
}

// abandon settles all that is left, because the phase ends early.
func (l *Loop) abandon(now int64) {
	l.expire(now)
	for l.slab.oldest != nothing {
		l.retire(l.slab.oldest, censored)
	}
}

// retire settles the oldest request without a reply. What is on the wire stays in its connection's list, for its reply may
// still come; what is not leaves it, and is the first there because it is the oldest of all.
func (l *Loop) retire(i int32, o outcome) {
	r := &l.slab.requests[i]
	at, c := r.connection, &l.connections[r.connection]
	if !r.onWire {
		c.waiting.pop(&l.slab)
	}
	l.settle(i, o)
	if !r.onWire {
		l.slab.release(i)
	}
	switch {
	case l.churn != nil:
		l.giveUp(at, c, o)
	case l.cycle != nil && !r.onWire:
		l.cycle.next(at) // else it follows the reply
	}
}

// settle decides the outcome of a request, once.
func (l *Loop) settle(i int32, o outcome) {
	r := &l.slab.requests[i]
	l.slab.unlink(i)
	switch r.flags {
	case wire.Load:
		if o == answered {
			if l.now < r.sent { // sent since the last wait, and answered already
				l.now = l.clock.Now()
			}
			if l.now-r.intended >= int64(l.cfg.Timeout) { // nobody has looked since it timed out
				o = timedOut
				l.integrity.Late++
			} else {
				l.ledger.answered(r.slot, l.now-r.intended, l.now-r.sent)
			}
		}
		l.ledger.settle(r.slot, o)
	case wire.Prove:
		l.proving--
		if o == answered {
			l.proved.Verified++
		}
	}
}

// oldestExpires is when the next request times out, in ns.
func (l *Loop) oldestExpires() int64 {
	if l.slab.oldest == nothing {
		return pacing.Never
	}
	return l.slab.requests[l.slab.oldest].intended + int64(l.cfg.Timeout)
}

// done sums up a load.
func (l *Loop) done() Done {
	d := Done{
		FirstSend: l.ledger.firstSend, LastSend: l.ledger.lastSend,
		Armed: l.verified, Open: l.open, Lost: l.verified - l.open,
		Surplus: l.surplus, Warmup: l.ledger.before, Load: l.ledger.window,
		Service: l.ledger.service, Lag: l.ledger.lag, Connect: l.connect, LoopLag: l.loopLag,
		Integrity: l.integrity, SendGaps: l.ledger.gaps.kept,
		Errors: l.tally.Rows(), MaxLoopGap: time.Duration(l.maxGap),
	}
	switch l.cfg.Workload {
	case Churn:
		d.Lost = 0 // it holds no connections that could be lost
	case Calibrate:
		d.Armed, d.Lost, d.Ceiling = l.connected, l.connected-l.open, l.ceiling
	}
	return d
}

// spread is how many intervals can wait for their last settlement at once.
func (l *Loop) spread() int { return int(l.cfg.Timeout/time.Second) + 3 }
