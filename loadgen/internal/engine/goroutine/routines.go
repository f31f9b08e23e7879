// Package goroutine is the engine that everybody writes first: a goroutine reads on each connection, another writes, and the
// runtime does the rest. It does the same trials as package epoll and keeps the same accounts, so each can check the other;
// what is the same idea has the same name in both.
package goroutine

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// Routines is the engine of goroutines.
type Routines struct {
	cfg     engine.Config
	traits  contracts.Workload
	work    construct // of the workload
	pacer   pacing.Pacer
	dialers engine.Dialers
	filler  []byte          // a record of which the header does not count
	alive   context.Context // until Stop
	stop    context.CancelFunc
	wake    chan struct{}  // ends the pacer's sleep
	running sync.WaitGroup // goroutines of the connections
	done    atomic.Int64   // connections that the phase has done with

	loopLag *hist.Histogram // of the pacer, which alone touches it
	maxGap  int64           // ns

	// One lock guards all that follows, the queues of the connections too. It is held for a moment, never while anything is
	// sent or received.
	mu          sync.Mutex
	connections []*connection
	begun       int // connections that were tried
	accounts    engine.Accounts
	timeline    []*request // in the order of their intended times; those at its head are not settled
	unsettled   int
	most        int   // unsettled at once
	draining    bool  // the pacer wants to know when all are settled
	phase       phase // what the engine does now
	at          int64 // ns, when the load starts
	due         int64 // ns, when the phase wants to begin something
	end         int64 // ns, from when on the phase begins nothing
	looked      int64 // ns, when the pacer last looked whether anything is due
	away        int64 // ns, how late it was then
}

// A connection and what is asked of it: waiting to be sent, or on the wire, in the order of the replies.
type connection struct {
	e        *Routines
	index    int
	conn     *net.TCPConn
	sequence uint32    // of its next record
	ready    sync.Cond // there may be something to write, or nothing more ever
	waiting  []*request
	wire     []*request
	reply    []byte // the one that is being read, and a little more, to see whether another record begins in it
	have     int    // bytes of it
	heard    int64  // ns, when the last of them came
	unseen   int64  // ns for which its replies have lain unread at most, in sum
	stray    bool   // nobody asked for these
	writing  bool   // its writer has not come back from its last record
	broken   error  // why it could not be written to
	lost     bool
}

// A request on its way from plan to outcome.
type request struct {
	connection *connection
	intended   int64 // ns
	sent       int64 // ns, when its writing began
	unseen     int64 // ns, of its connection when it was planned
	sequence   uint32
	slot       uint16 // of the ledger
	flags      uint8  // of the record
	onWire     bool
	tardy      bool // planned when half of its timeout was over
	settled    bool // its reply may still come, but counts no more
}

// A phase says what follows from what happens. Its methods are called with the lock held; held has the usual answers.
type phase interface {
	// begin does what is due.
	begin(intended int64)
	// settled counts the outcome of an echo that is no request of the load.
	settled(o engine.Outcome)
	// replied goes on when the whole reply to a request of these flags has been read.
	replied(c *connection, flags uint8)
	// gaveUp goes on when a request that was not sent was settled.
	gaveUp(c *connection)
	// run offers a load until it is over. It is called without the lock.
	run()
	// over corrects the sum of what a load amounts to; all is settled.
	over(d *engine.Done)
}

// A held is the phase of a load, as far as it is the same for all: workloads embed it, and say what they do otherwise.
type held struct{ e *Routines }

func (h held) begin(int64) {}

func (h held) settled(engine.Outcome) {}

func (h held) replied(*connection, uint8) {}

func (h held) gaveUp(*connection) {}

func (h held) run() { h.e.pace(h.e.alive) }

func (h held) over(*engine.Done) {}

// A construct makes the phase of a load.
type construct func(e *Routines) phase

// workloads are all that this engine knows.
var workloads = map[string]construct{
	engine.Open: newArrivals, engine.Ramp: newArrivals, engine.Capacity: newArrivals, engine.Limit: newArrivals,
	engine.Closed: newCycle,
	engine.Churn:  newChurn,
}

// New makes an engine for a share; it opens no connection yet.
func New(cfg engine.Config) (*Routines, error) {
	work := workloads[cfg.Workload]
	if work == nil {
		return nil, engine.Unknown(cfg.Workload, engine.Goroutine)
	}
	pacer, err := cfg.Pacer()
	if err != nil {
		return nil, err
	}
	e := &Routines{cfg: cfg, traits: cfg.Traits(), work: work, pacer: pacer, dialers: engine.NewDialers(cfg.Sources, cfg.Targets),
		filler: wire.NewBuffer(cfg.PayloadBytes, cfg.Seed), wake: make(chan struct{}, 1),
		connections: make([]*connection, cfg.Connections), most: cfg.MostRequests(), accounts: engine.NewAccounts(&cfg)}
	e.alive, e.stop = context.WithCancel(context.Background())
	return e, nil
}

// newConnection is connection i, not yet connected.
func (e *Routines) newConnection(i int) *connection {
	return &connection{e: e, index: i, ready: sync.Cond{L: &e.mu}}
}

func (e *Routines) isOpen(i int) bool { return e.connections[i] != nil && !e.connections[i].lost }

// before is a context that ends at that time, or when the engine stops.
func (e *Routines) before(until int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(e.alive, time.Duration(until-engine.Monotonic()))
}

// Stop implements engine.Engine.
func (e *Routines) Stop() { e.stop() }

// Progress implements engine.Engine.
func (e *Routines) Progress() int64 { return e.done.Load() }
