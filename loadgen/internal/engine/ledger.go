package engine

import (
	"time"

	"c10k/loadgen/internal/hist"
)

// An outcome is how a request was settled.
type outcome uint8

const (
	answered outcome = iota
	timedOut
	censored
	dropped
	mismatched
	failed
)

// Counts is what became of requests. Planned is the sum of the six from Answered on, once all are settled.
type Counts struct {
	Planned    int64 `json:"planned"`
	Sent       int64 `json:"sent"`
	Answered   int64 `json:"answered"`
	TimedOut   int64 `json:"timed_out"`
	Censored   int64 `json:"censored"`
	Dropped    int64 `json:"dropped"`
	Mismatched int64 `json:"mismatched"`
	Failed     int64 `json:"failed"`
}

// Settled is how many of the planned have an outcome.
func (c *Counts) Settled() int64 {
	return c.Answered + c.TimedOut + c.Censored + c.Dropped + c.Mismatched + c.Failed
}

func (c *Counts) settle(o outcome) {
	switch o {
	case answered:
		c.Answered++
	case timedOut:
		c.TimedOut++
	case censored:
		c.Censored++
	case dropped:
		c.Dropped++
	case mismatched:
		c.Mismatched++
	case failed:
		c.Failed++
	}
}

// Add adds what became of other requests.
func (c *Counts) Add(d *Counts) {
	c.Planned += d.Planned
	c.Sent += d.Sent
	c.Answered += d.Answered
	c.TimedOut += d.TimedOut
	c.Censored += d.Censored
	c.Dropped += d.Dropped
	c.Mismatched += d.Mismatched
	c.Failed += d.Failed
}

// An Interval is one settled second of a trial.
type Interval struct {
	K        int
	Warmup   bool
	Counts   Counts
	Response *hist.Histogram // of the answered

	pool chan *hist.Histogram
}

// Recycle gives the histogram back for a later interval.
func (i Interval) Recycle() {
	i.Response.Reset()
	select {
	case i.pool <- i.Response:
	default:
	}
}

// second is a unit of the ledger in ns.
const second = int64(time.Second)

// A slot is an interval of which not all requests are settled yet.
type slot struct {
	k        int
	used     bool
	complete bool // no more will be planned in it
	counts   Counts
	response *hist.Histogram
}

// A ledger accounts for every request by the second of its intended time. Requests are planned in the order of their
// intended times, so only one interval at a time can grow; the earlier ones wait for their last settlement.
type ledger struct {
	at        int64 // ns, start of interval 0
	warmup    int   // intervals
	limit     int   // intervals in all
	emit      func(Interval)
	k         int    // the interval that grows
	growing   uint16 // its slot
	slots     []slot
	pool      chan *hist.Histogram
	before    Counts // warm-up
	window    Counts
	service   *hist.Histogram
	lag       *hist.Histogram
	firstSend int64
	lastSend  int64
	gaps      gaps
}

// newLedger makes room for spread intervals to be open at once. More are possible, at the cost of an allocation each.
func newLedger(at int64, warmup, limit, spread int, emit func(Interval)) *ledger {
	g := &ledger{at: at, warmup: warmup, limit: limit, emit: emit, pool: make(chan *hist.Histogram, spread+1),
		slots: make([]slot, 0, spread), service: hist.New(), lag: hist.New(), gaps: newGaps()}
	for range spread {
		g.pool <- hist.New()
	}
	g.open()
	return g
}

func (g *ledger) open() {
	var response *hist.Histogram
	select {
	case response = <-g.pool:
	default:
		response = hist.New()
	}
	fresh := slot{k: g.k, used: true, response: response}
	for i := range g.slots {
		if !g.slots[i].used {
			g.slots[i], g.growing = fresh, uint16(i)
			return
		}
	}
	g.slots = append(g.slots, fresh)
	g.growing = uint16(len(g.slots) - 1)
}

// advance completes every interval before the one that holds t, for nothing more is planned before t.
func (g *ledger) advance(t int64) {
	k := min(int((t-g.at)/second), g.limit)
	for g.k < k {
		g.complete()
		g.k++
		if g.k < g.limit {
			g.open()
		}
	}
}

// finish completes the growing interval and lets none follow.
func (g *ledger) finish() {
	if g.k < g.limit {
		g.complete()
		g.k++
		g.limit = g.k
	}
}

// boundary is when the growing interval ends, in ns.
func (g *ledger) boundary() int64 { return g.at + int64(g.k+1)*second }

func (g *ledger) complete() {
	g.slots[g.growing].complete = true
	g.emitIfSettled(&g.slots[g.growing])
}

func (g *ledger) emitIfSettled(s *slot) {
	if !s.complete || s.counts.Settled() != s.counts.Planned {
		return
	}
	s.used = false
	warmup := s.k < g.warmup
	if warmup {
		g.before.Add(&s.counts)
	} else {
		g.window.Add(&s.counts)
	}
	g.emit(Interval{K: s.k, Warmup: warmup, Counts: s.counts, Response: s.response, pool: g.pool})
}

// plan counts a request and returns the slot that it belongs to.
func (g *ledger) plan(intended int64) uint16 {
	g.advance(intended)
	g.slots[g.growing].counts.Planned++
	return g.growing
}

// inWindow tells whether a slot belongs to the window, not to the warm-up.
func (g *ledger) inWindow(i uint16) bool { return g.slots[i].k >= g.warmup }

// sent counts a request whose first byte was written at now.
func (g *ledger) sent(i uint16, intended, now int64) {
	g.slots[i].counts.Sent++
	if g.inWindow(i) {
		g.lag.Record(now - intended)
		g.gaps.sent(now)
	}
	if g.firstSend == 0 {
		g.firstSend = now
	}
	g.lastSend = now
}

// answered records the latencies of a request that is about to be settled so.
func (g *ledger) answered(i uint16, response, service int64) {
	g.slots[i].response.Record(response)
	if g.inWindow(i) {
		g.service.Record(service)
	}
}

func (g *ledger) settle(i uint16, o outcome) {
	s := &g.slots[i]
	s.counts.settle(o)
	g.emitIfSettled(s)
}
