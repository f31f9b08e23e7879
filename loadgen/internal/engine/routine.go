package engine

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// Routines is the engine that everybody writes first: a goroutine reads on each connection, another writes, and the runtime
// does the rest. It does the same trials as Loop and keeps the same accounts, so each can check the other.
type Routines struct {
	cfg     Config
	pacer   pacing.Pacer
	clock   Clock
	dialers []net.Dialer // one for each source
	targets []string
	filler  []byte          // a record of which the header does not count
	alive   context.Context // until Stop
	stop    context.CancelFunc
	shaking chan struct{}  // has room for the handshakes that may be in flight while arming
	wake    chan struct{}  // ends the pacer's sleep
	running sync.WaitGroup // goroutines of the connections

	loopLag *hist.Histogram // of the pacer, who alone may touch it
	maxGap  int64           // ns

	// One lock guards all that follows, the queues of the connections too. It is held for a moment, never while anything is
	// sent or received.
	mu        sync.Mutex
	links     []*link
	begun     int // connections that were tried
	armed     Armed
	armFailed errs.Tally
	tally     errs.Tally
	open      int
	connect   *hist.Histogram
	surplus   int64
	integrity Integrity
	timeline  []*query // in the order of their intended times; those at its head are not settled
	unsettled int
	most      int  // unsettled at once
	draining  bool // the pacer wants to know when all are settled
	proved    Proved
	proving   int     // echoes in flight
	ledger    *ledger // nil unless a load runs
	rounds    *rounds // nil unless that workload runs
}

var _ Engine = (*Routines)(nil)

// A query is a request on its way from plan to outcome.
type query struct {
	link     *link
	intended int64 // ns
	sent     int64 // ns, when its writing began
	sequence uint32
	slot     uint16 // of the ledger
	flags    uint8  // of the record
	onWire   bool
	settled  bool // its reply may still come, but counts no more
}

// NewRoutines makes an engine for a share; it opens no connection yet.
func NewRoutines(cfg Config) (*Routines, error) {
	if cfg.Workload == Calibrate {
		return nil, errs.New(errs.Spec, "workload", "Only the epoll engine calibrates, not that of goroutines.",
			"Use the generator go for the workload calibrate.")
	}
	pacer, err := pacing.New(cfg.Arrival, cfg.Rate, cfg.Phase, cfg.Seed, uint64(cfg.FirstConnection))
	if err != nil {
		return nil, err
	}
	r := &Routines{cfg: cfg, pacer: pacer, clock: NewClock(), dialers: dialersFor(cfg.Sources),
		filler:  wire.NewBuffer(cfg.PayloadBytes, cfg.Seed),
		shaking: make(chan struct{}, connectsAtOnce), wake: make(chan struct{}, 1),
		links: make([]*link, cfg.Connections), most: requestsFor(cfg), connect: hist.New()}
	for _, target := range cfg.Targets {
		r.targets = append(r.targets, target.String())
	}
	r.alive, r.stop = context.WithCancel(context.Background())
	return r, nil
}

// Arm implements Engine. Each connection has a goroutine that connects and verifies it, and then reads.
func (r *Routines) Arm(total int) (Armed, error) {
	total = min(total, len(r.links))
	if r.cfg.Workload == Churn {
		total = min(1, total)
	}
	ctx, cancel := context.WithTimeout(r.alive, r.cfg.ArmTimeout)
	defer cancel()
	start, first := r.clock.Now(), r.begun
	var arming sync.WaitGroup
	for ; r.begun < total; r.begun++ {
		i := r.begun
		if r.sleep(ctx, r.rampDue(start, i-first), nil); ctx.Err() != nil {
			break
		}
		arming.Go(func() { r.openLink(ctx, i) })
	}
	arming.Wait()
	for ; r.begun < total; r.begun++ {
		r.armFailed.Add(errs.Connect, errs.Timeout, 0, r.cfg.FirstConnection+uint32(total-1))
	}
	if r.cfg.Workload == Churn && total > 0 {
		r.hangUp()
		r.open = 0
		r.connect.Reset() // it is to hold the connects of the window
	}
	r.armed.Failed = r.armFailed.Keys()
	return r.armed, nil
}

// rampDue is when connection i of a paced ramp may begin, in ns.
func (r *Routines) rampDue(start int64, i int) int64 {
	if r.cfg.ConnectRate == 0 {
		return start
	}
	return start + int64(float64(i)/r.cfg.ConnectRate*float64(time.Second))
}

// Prove implements Engine. An echo that does not come within the timeout has failed; its connection stays open.
func (r *Routines) Prove() Proved {
	ctx, cancel := context.WithTimeout(r.alive, r.cfg.ArmTimeout)
	defer cancel()
	r.proved, r.proving = Proved{}, 0
	p := &proof{r: r}
	r.pace(ctx, p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.abandon()
	r.proved.Failed = p.asked - r.proved.Verified
	return r.proved
}

// Run implements Engine.
func (r *Routines) Run(at int64, emit func(Interval)) (Done, error) {
	if now := r.clock.Now(); at < now {
		return Done{}, errs.New(errs.Start, "late",
			fmt.Sprintf("The start was ordered for %.3f ms before now.", float64(now-at)/1e6),
			"Give a later time, or look for what delays the orders.")
	}
	settled := make(chan Interval, 16)
	go func() {
		defer close(settled)
		r.load(at, func(i Interval) { settled <- i })
	}()
	for i := range settled {
		emit(i)
	}
	return r.done(), nil
}

// load offers a workload and returns when every request is settled.
func (r *Routines) load(at int64, emit func(Interval)) {
	intervals := r.cfg.Warmup + r.cfg.Duration
	end := at + int64(intervals)*second
	switch r.cfg.Workload {
	case Churn:
		r.runVisits(at, emit)
	case Closed:
		r.ledger = newLedger(at, r.cfg.Warmup, intervals, r.spread(), emit)
		r.runRounds(at, end)
	default:
		r.ledger = newLedger(at, r.cfg.Warmup, intervals, r.spread(), emit)
		o := &offers{r: r, at: at, until: end}
		o.next()
		r.pace(r.alive, o)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rounds = nil // nothing follows what is given up now
	r.ledger.finish()
	r.abandon()
}

// spread is how many intervals can wait for their last settlement at once.
func (r *Routines) spread() int { return int(r.cfg.Timeout/time.Second) + 3 }

// done sums up a load.
func (r *Routines) done() Done {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := Done{
		FirstSend: r.ledger.firstSend, LastSend: r.ledger.lastSend,
		Armed: r.armed.Verified, Open: r.open, Lost: r.armed.Verified - r.open,
		Surplus: r.surplus, Warmup: r.ledger.before, Load: r.ledger.window,
		Service: r.ledger.service, Lag: r.ledger.lag, Connect: r.connect, LoopLag: r.loopLag,
		Integrity: r.integrity, SendGaps: r.ledger.gaps.kept, Errors: r.tally.Rows(), MaxLoopGap: time.Duration(r.maxGap),
	}
	if r.cfg.Workload == Churn {
		d.Lost = 0 // it holds no connections that could be lost
	}
	return d
}

// Stop implements Engine.
func (r *Routines) Stop() { r.stop() }

// Close implements Engine.
func (r *Routines) Close() {
	r.stop()
	r.hangUp()
}

// hangUp closes every connection and waits until its goroutines have ended.
func (r *Routines) hangUp() {
	r.mu.Lock()
	for _, c := range r.links {
		if c != nil {
			c.end()
		}
	}
	r.mu.Unlock()
	r.running.Wait()
}

// time is a time of the clock as other packages want it.
func (c *Clock) time(ns int64) time.Time { return c.base.Add(time.Duration(ns - c.origin)) }
