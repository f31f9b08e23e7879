// Package epoll is the engine of one thread: a flat array of connections, one wait for the events of all, and nothing on the
// path of a request that allocates, locks or formats. The loop moves bytes and keeps the accounts; what follows from an event
// is for the phase to say: arming, proving, or the workload.
//
// To read it: loop, then the path of a request (send, reply, settle), then run, then a workload, arrivals first.
package epoll

import (
	"sync/atomic"

	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// Loop is the epoll engine.
type Loop struct {
	cfg     engine.Config
	traits  contracts.Workload
	work    construct // of the workload
	stopped atomic.Bool
	done    atomic.Int64 // connections that the phase has done with

	watch       watch
	sockets     sockets
	dialled     int // connections that had their first attempt
	shaking     int // handshakes in flight
	connections []connection
	requests    slab
	out         []byte                 // the record being sent
	expected    []byte                 // the record being checked
	in          []byte                 // what is being received
	strange     map[int32]*wire.Reader // what is being received that is not what was sent, by connection
	accounts    engine.Accounts
	pacer       pacing.Pacer

	phase phase // what the loop does now
	at    int64 // ns, when the load starts
	due   int64 // ns, when the phase wants to be pumped
	end   int64 // ns, from when on the phase begins nothing

	looked   int64 // ns, when the phase last looked whether anything is due
	caughtUp int64 // ns, until when all that had come has been handled
}

// A phase says what follows from what happens. Its methods are called on the loop's thread; held has the usual answers.
type phase interface {
	// pump plans what is due.
	pump()
	// stood goes on with a connection whose handshake is done.
	stood(i int32, c *connection)
	// unreached goes on with a connection whose handshake failed.
	unreached(i int32, cause errs.Cause, errno unix.Errno)
	// settled counts the outcome of an echo that is no request of the load.
	settled(o engine.Outcome)
	// replied goes on when the whole reply to a request of these flags has been read; early: before it was sent.
	replied(i int32, c *connection, flags uint8, o engine.Outcome, early bool)
	// gaveUp goes on when a request was settled without a reply, which may still come if it is on the wire.
	gaveUp(i int32, c *connection, o engine.Outcome, onWire bool)
	// lost goes on without a connection, which was in that state when it failed so.
	lost(i int32, was state, phase errs.Phase, cause errs.Cause, errno unix.Errno)
	// begun is when a request was begun that leaves now: not before now, unless it had to connect first at a time of its own.
	begun(c *connection, now int64) int64
	// over corrects the sum of what a load amounts to; all is settled.
	over(d *engine.Done)
}

// A held is the phase of a load on connections that stand, as far as it is the same for all: workloads embed it, and say
// what they do otherwise.
type held struct{ l *Loop }

func (h *held) pump() {}

func (h *held) stood(int32, *connection) {}

func (h *held) unreached(i int32, cause errs.Cause, errno unix.Errno) {
	h.l.lose(i, errs.Connect, cause, errno)
}

func (h *held) settled(engine.Outcome) {}

// replied keeps the connection, unless its peer knows what was not yet sent.
func (h *held) replied(i int32, _ *connection, _ uint8, _ engine.Outcome, early bool) {
	if early {
		h.l.lose(i, errs.Read, errs.Mismatched, 0)
	}
}

func (h *held) gaveUp(int32, *connection, engine.Outcome, bool) {}

func (h *held) lost(_ int32, was state, _ errs.Phase, _ errs.Cause, _ unix.Errno) {
	if was == established {
		h.l.accounts.Open--
	}
}

func (h *held) begun(_ *connection, now int64) int64 { return now }

func (h *held) over(*engine.Done) {}

// A construct makes the phase of a load and takes the memory that it needs, so that it does not cost time after the start.
type construct func(l *Loop) phase

// workloads are all that this engine knows.
var workloads = map[string]construct{
	engine.Open: newArrivals, engine.Ramp: newArrivals, engine.Capacity: newArrivals, engine.Limit: newArrivals,
	engine.Closed:    newCycle,
	engine.Churn:     newChurn,
	engine.Newcomers: newNewcomers,
	engine.Calibrate: newCalibration,
}

const readBytes = 64 << 10

// New makes an engine for a share; it opens no connection yet.
func New(cfg engine.Config) (*Loop, error) {
	work := workloads[cfg.Workload]
	if work == nil {
		return nil, engine.Unknown(cfg.Workload, engine.Epoll)
	}
	pacer, err := cfg.Pacer()
	if err != nil {
		return nil, err
	}
	w, err := newWatch()
	if err != nil {
		return nil, err
	}
	return &Loop{
		cfg: cfg, traits: cfg.Traits(), work: work, watch: w, sockets: newSockets(&cfg), connections: newConnections(cfg.Connections),
		requests: newSlab(cfg.MostRequests()), out: wire.NewBuffer(cfg.PayloadBytes, cfg.Seed),
		expected: wire.NewBuffer(cfg.PayloadBytes, cfg.Seed), in: make([]byte, readBytes), strange: map[int32]*wire.Reader{},
		accounts: engine.NewAccounts(&cfg), pacer: pacer, due: pacing.Never,
	}, nil
}

// begin enters a phase.
func (l *Loop) begin(p phase) {
	l.watch.begin()
	l.due = pacing.Never
	l.phase = p
	l.done.Store(0)
}

// schedule asks the pacer for the time of the next request, if anybody is there to send one.
func (l *Loop) schedule(anybody bool) {
	l.due = pacing.Never
	if next := l.pacer.Next(); anybody && next < l.end-l.at {
		l.due = l.at + next
	}
}

// Stop implements engine.Engine.
func (l *Loop) Stop() {
	l.stopped.Store(true)
	ring(l.watch.bell)
}

// Progress implements engine.Engine.
func (l *Loop) Progress() int64 { return l.done.Load() }

// Close implements engine.Engine.
func (l *Loop) Close() {
	l.done.Store(0)
	for i := range l.connections {
		if fd := l.connections[i].fd; fd >= 0 {
			closeSocket(fd)
			l.connections[i].fd = -1
			l.done.Add(1)
		}
	}
	l.watch.close()
}

func (l *Loop) header(r *request) wire.Header {
	return wire.Header{Flags: r.flags, Run: l.cfg.Run, Connection: l.cfg.FirstConnection + uint32(r.owner), Sequence: r.sequence,
		Intended: uint64(r.intended)}
}
