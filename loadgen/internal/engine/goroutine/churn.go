package goroutine

import (
	"context"
	"sync"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"
)

// A churn keeps a number of requests in flight, each on a connection of its own. A goroutine for each connects, asks, and
// closes, as long as there is something to do; the pacer only completes the intervals.
type churn struct {
	held
	left int64 // requests
}

func newChurn(e *Routines) phase {
	k := &churn{held: held{e}}
	k.left, e.end = e.accounts.Ledger.Quota(&e.cfg)
	return k
}

func (k *churn) run() {
	e := k.e
	var visitors sync.WaitGroup
	coming, over := context.WithCancel(e.alive) // who has not had a first turn by then has none
	for i := range e.connections {
		visitors.Go(func() {
			e.sleep(coming, e.cfg.DialDue(e.at, i), nil)
			k.visit(e.newConnection(i))
		})
	}
	k.held.run()
	over()
	visitors.Wait()
}

// over: none of its connections was lost.
func (k *churn) over(d *engine.Done) { d.Lost = 0 }

// visit is the life of one of these goroutines.
func (k *churn) visit(c *connection) {
	e := k.e
	record, reply := c.record(), make([]byte, 2*len(e.filler))
	for r := k.take(c); r != nil; r = k.take(c) {
		ctx, cancel := context.WithTimeout(e.alive, e.cfg.Timeout-time.Duration(engine.Monotonic()-r.intended))
		reached := k.once(ctx, c, r, record, reply)
		cancel()
		if !reached {
			e.sleep(e.alive, engine.Monotonic()+engine.Reconnect, nil)
		}
	}
}

// take plans the next request; nil: there is none.
func (k *churn) take(c *connection) *request {
	e := k.e
	e.mu.Lock()
	defer e.mu.Unlock()
	now := engine.Monotonic()
	if e.alive.Err() != nil || now >= e.end {
		return nil
	}
	r := &request{connection: c, flags: wire.Load, intended: now, slot: e.accounts.Ledger.Plan(now)}
	e.unsettled++
	if k.left--; k.left == 0 { // a quota ends the window with its last request
		e.accounts.Ledger.EndHere()
		e.end = 0
		e.poke()
	}
	return r
}

// once makes a request on a connection of its own; false: the server could not be reached.
func (k *churn) once(ctx context.Context, c *connection, r *request, record, reply []byte) bool {
	e, n, phase := k.e, 0, errs.Connect
	begun := engine.Monotonic()
	conn, err := e.dialers.Dial(ctx, c.index)
	now := engine.Monotonic()
	if err == nil {
		e.mu.Lock()
		if e.accounts.Ledger.InWindow(r.slot) {
			e.accounts.Connect.Record(now - begun)
		}
		c.conn = conn
		c.put(r)
		e.mu.Unlock()
		n, phase, err = c.exchange(ctx, r, record, reply)
		now = engine.Monotonic()
		_ = conn.Close() // the client closes first
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		return k.failed(r, phase, err, reply[:n], now)
	}
	e.conclude(r, classify(reply[:len(record)], c.header(r.flags, r.sequence, r.intended), e.filler, false), now)
	e.accounts.Surplus += int64(n - len(record))
	if n == len(reply) {
		e.unasked(classify(reply[len(record):], c.header(r.flags, c.sequence, 0), e.filler, true))
	}
	return true
}

// failed settles a request that has only a part of a reply, or none; false: the server could not be reached.
func (k *churn) failed(r *request, phase errs.Phase, err error, part []byte, now int64) bool {
	e, n := k.e, len(part)
	outcome, reached, cut := engine.TimedOut, true, e.accounts.Broken
	cause, errno := causeOf(err)
	switch {
	case e.alive.Err() != nil:
		outcome, n = engine.Censored, 0
	case timeIsUp(err):
		if phase == errs.Write {
			phase = errs.Read
		}
	default:
		outcome, reached, cut = engine.Failed, phase != errs.Connect, e.accounts.Torn
	}
	if n > 0 {
		cut(r.connection.differs(r, part))
	}
	if outcome != engine.Censored {
		e.accounts.Errors.Add(phase, cause, errno, r.connection.number())
	}
	if r.onWire {
		e.settle(r, outcome, now)
	} else {
		e.unsent(r, outcome, errs.Blame(phase, cause) == errs.ByHost)
	}
	return reached
}
