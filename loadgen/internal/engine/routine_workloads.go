package engine

import (
	"context"
	"math"
	"sync"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// offers are the requests of an open loop: their times come from the pacer alone, whatever the server does.
type offers struct {
	r         *Routines
	at, until int64 // ns
	when      int64 // ns, the next
	turn      int   // its connection
}

func (o *offers) due() int64 { return o.when }
func (o *offers) end() int64 { return o.until }

func (o *offers) next() {
	o.when = pacing.Never
	if next := o.r.pacer.Next(); o.r.cfg.Active > 0 && next < o.until-o.at {
		o.when = o.at + next
	}
}

func (o *offers) begin(intended int64) {
	r, i := o.r, o.turn
	o.next()
	o.turn = (i + 1) % r.cfg.Active
	slot := r.ledger.plan(intended)
	switch {
	case !r.isOpen(i):
		r.ledger.settle(slot, failed)
	case !r.ask(r.links[i], wire.Load, intended, slot):
		r.ledger.settle(slot, dropped)
	}
}

// rounds are the requests of a closed loop: each is due the think time after a reply. All think for the same time, so those
// that think are in the order of their turns.
type rounds struct {
	r         *Routines
	at, until int64 // ns
	started   bool
	thinking  ring
}

func (r *Routines) runRounds(at, end int64) {
	k := &rounds{r: r, at: at, until: end, thinking: ring{items: make([]turn, r.cfg.Active*r.cfg.Pipeline)}}
	r.mu.Lock()
	r.rounds = k
	r.mu.Unlock()
	r.pace(r.alive, k)
}

func (k *rounds) due() int64 {
	due := k.thinking.due()
	if !k.started {
		due = k.at
	}
	if due >= k.until {
		return pacing.Never
	}
	return due
}

func (k *rounds) end() int64 { return k.until }

func (k *rounds) begin(intended int64) {
	if k.started {
		k.ask(int(k.thinking.pop().connection), intended)
		return
	}
	k.started = true
	for range k.r.cfg.Pipeline {
		for i := range k.r.cfg.Active {
			k.ask(i, intended)
		}
	}
}

// follow lets the next request of a connection come after one that is over; nothing, where nobody waits for that.
func (k *rounds) follow(c *link) {
	if k == nil {
		return
	}
	now := k.r.clock.Now()
	if due := now + int64(k.r.cfg.ThinkTime); due >= k.until {
		return
	} else if due == now {
		k.ask(c.index, now)
	} else if k.thinking.push(turn{int32(c.index), due}); k.thinking.count == 1 {
		k.r.poke()
	}
}

// ask plans a request. A lost connection is asked no more.
func (k *rounds) ask(i int, intended int64) {
	if !k.r.isOpen(i) {
		return
	}
	slot := k.r.ledger.plan(intended)
	if !k.r.ask(k.r.links[i], wire.Load, intended, slot) {
		k.r.ledger.settle(slot, dropped)
	}
}

// A proof asks every connection that is open for one echo.
type proof struct {
	r           *Routines
	next, asked int
}

func (p *proof) end() int64 { return 0 }

func (p *proof) due() int64 {
	for p.next < len(p.r.links) && !p.r.isOpen(p.next) {
		p.next++
	}
	if p.next == len(p.r.links) || p.r.proving >= provesAtOnce {
		return pacing.Never
	}
	return 0
}

func (p *proof) begin(int64) {
	p.asked++
	p.r.proving++
	if !p.r.ask(p.r.links[p.next], wire.Prove, p.r.clock.Now(), 0) {
		p.r.proving--
	}
	p.next++
}

// visits are the requests of the workload churn. Each connection has a goroutine that connects, asks, and closes, as long
// as there is something to do; the pacer only completes the intervals.
type visits struct {
	r     *Routines
	begun int64 // requests
	quota int64
	until int64 // ns
}

func (k *visits) due() int64  { return pacing.Never }
func (k *visits) begin(int64) {}

func (k *visits) end() int64 {
	if k.begun >= k.quota {
		return 0
	}
	return k.until
}

func (r *Routines) runVisits(at int64, emit func(Interval)) {
	k := &visits{r: r, quota: r.cfg.Requests, until: pacing.Never}
	warmup, limit := 0, math.MaxInt
	if k.quota < 0 {
		warmup, limit = r.cfg.Warmup, r.cfg.Warmup+r.cfg.Duration
		k.quota, k.until = math.MaxInt64, at+int64(limit)*second
	}
	r.ledger = newLedger(at, warmup, limit, r.spread(), emit)
	var visitors sync.WaitGroup
	for i := range r.links {
		visitors.Go(func() {
			r.sleep(r.alive, r.rampDue(at, i), nil)
			k.visit(&link{r: r, index: i})
		})
	}
	r.pace(r.alive, k)
	visitors.Wait()
}

// visit is the life of one visitor.
func (k *visits) visit(c *link) {
	record, reply := c.record(), make([]byte, 2*len(k.r.filler))
	for q := k.take(c); q != nil; q = k.take(c) {
		ctx, cancel := context.WithDeadline(k.r.alive, k.r.clock.time(q.intended+int64(k.r.cfg.Timeout)))
		reached := k.once(ctx, c, q, record, reply)
		cancel()
		if !reached { // must not make the generator spin
			k.r.sleep(k.r.alive, k.r.clock.Now()+backoff, nil)
		}
	}
}

// take plans the next request; nil: there is none.
func (k *visits) take(c *link) *query {
	k.r.mu.Lock()
	defer k.r.mu.Unlock()
	now := k.r.clock.Now()
	if k.r.alive.Err() != nil || now >= k.end() {
		return nil
	}
	q := &query{link: c, flags: wire.Load, intended: now, slot: k.r.ledger.plan(now)}
	k.r.unsettled++
	if k.begun++; k.begun == k.quota {
		k.r.ledger.limit = k.r.ledger.k + 1 // a quota ends the window with its last request
		k.r.poke()
	}
	return q
}

// once makes a request on a connection of its own; false: the server could not be reached.
func (k *visits) once(ctx context.Context, c *link, q *query, record, reply []byte) bool {
	r, n, phase := k.r, 0, errs.Connect
	begun := r.clock.Now()
	conn, err := r.dial(ctx, c.index)
	now := r.clock.Now()
	if err == nil {
		r.mu.Lock()
		if r.ledger.inWindow(q.slot) {
			r.connect.Record(now - begun)
		}
		c.conn = conn
		c.put(q)
		r.mu.Unlock()
		n, phase, err = c.exchange(ctx, q, record, reply)
		now = r.clock.Now()
		_ = conn.Close() // the client closes first
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch cause, errno := causeOf(err); {
	case err == nil:
		r.conclude(q, classify(reply[:len(record)], c.header(q.flags, q.sequence, q.intended), r.filler), now)
		r.surplus += int64(n - len(record))
		if n == len(reply) {
			r.unasked(classify(reply[len(record):], c.header(q.flags, c.sequence, 0), r.filler))
		}
		return true
	case r.alive.Err() != nil:
		r.settle(q, censored, now)
		return true
	case timeIsUp(err):
		if phase == errs.Write {
			phase = errs.Read
		}
		r.tally.Add(phase, cause, errno, c.number())
		r.settle(q, timedOut, now)
		return true
	default:
		if n > 0 {
			r.integrity.Truncated++
		}
		r.tally.Add(phase, cause, errno, c.number())
		r.settle(q, failed, now)
		return phase != errs.Connect
	}
}
