package engine

import (
	"math"
	"time"

	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
)

// second is in ns.
const second = int64(time.Second)

// An Outcome is how a request was settled.
type Outcome uint8

// The outcomes.
const (
	Answered Outcome = iota
	TimedOut
	Censored
	Dropped
	Mismatched
	Failed
)

// An Interval is one settled second of a trial.
type Interval struct {
	K        int
	Warmup   bool
	Counts   Counts
	Lag      int64           // ns, summed over the sent: how long after they were due they were begun
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

// A slot is an interval of which not all requests are settled yet.
type slot struct {
	k        int
	used     bool
	complete bool // no more will be planned in it
	planned  int64
	sent     int64
	open     int64 // planned and not settled
	waiting  int64 // never sent, by whose doing
	late     int64
	lag      int64
	settled  [Failed + 1]int64
	response *hist.Histogram
}

// A Ledger accounts for every request by the second of its intended time, and for every right reply by the second in which it
// was read. Requests are planned in the order of their intended times, so only one interval at a time can grow; the earlier
// ones wait for their last settlement and for the end of their second.
type Ledger struct {
	Before, Window      Counts // of the settled intervals of the warm-up, and of the window
	Service, Lag        *hist.Histogram
	FirstSend, LastSend int64 // ns
	LastReply           int64 // ns, when the last right reply of the load was read; 0: none was
	Left                int64 // requests that were sent within the window, whenever they were due

	at      int64 // ns, start of interval 0
	opens   int64 // ns, start of the window
	closes  int64 // ns, its end
	warmup  int   // intervals
	limit   int   // intervals in all
	ended   bool  // nothing more is planned: only a reply makes another interval
	emit    func(Interval)
	arrived []int64 // right replies, by second
	over    int     // seconds in which no more replies can be read
	k       int     // the interval that grows
	growing uint16  // its slot
	slots   []slot
	pool    chan *hist.Histogram
	gaps    gaps
}

// NewLedger is that of a load that lasts for its Duration. It makes room for as many intervals as can wait for their last
// settlement at once. More are possible, at the cost of an allocation each.
func NewLedger(c *Config, at int64, emit func(Interval)) *Ledger {
	spread := int(c.Timeout/time.Second) + 3
	g := &Ledger{at: at, opens: at + int64(c.Warmup)*second, closes: c.End(at), warmup: c.Warmup, limit: c.Intervals(), emit: emit, pool: make(chan *hist.Histogram, spread+1),
		slots: make([]slot, 0, spread), Service: hist.New(), Lag: hist.New(), gaps: newGaps(), arrived: make([]int64, 0, c.Intervals())}
	for range spread {
		g.pool <- hist.New()
	}
	g.open()
	return g
}

// Quota is with how many requests the load is to end, or at what time, in ns: with its Duration where there is no such number.
// A quota has no warm-up.
func (g *Ledger) Quota(c *Config) (quota, end int64) {
	if c.Requests < 0 {
		return math.MaxInt64, c.End(g.at)
	}
	g.warmup, g.limit = 0, math.MaxInt
	g.opens, g.closes = g.at, math.MaxInt64
	return c.Requests, pacing.Never
}

func (g *Ledger) open() {
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

// Advance completes every interval before the one that holds t, for nothing more is planned before t.
func (g *Ledger) Advance(t int64) {
	if !g.ended {
		g.advance(t)
	}
}

func (g *Ledger) advance(t int64) {
	for g.k < g.limit && t >= g.Boundary() {
		g.complete()
		g.k++
		if g.k < g.limit {
			g.open()
		}
	}
}

// Look tells the ledger the time: what comes next is planned for no earlier than due, and no reply was read that is not counted.
func (g *Ledger) Look(now, due int64) {
	g.Advance(min(now, due))
	if now >= g.at+int64(g.over+1)*second {
		g.close(int((now - g.at) / second))
	}
}

// close lets the intervals go whose seconds are now over, if they are settled.
func (g *Ledger) close(seconds int) {
	g.over = seconds
	for i := range g.slots {
		g.emitIfSettled(&g.slots[i])
	}
}

// Finish completes the growing interval and lets none follow.
func (g *Ledger) Finish() {
	if g.k < g.limit {
		g.complete()
		g.k++
	}
	g.limit, g.ended = g.k, false
	g.close(math.MaxInt)
}

// Skip lets no interval be emitted, for there will be no request.
func (g *Ledger) Skip() { g.limit = 0 }

// EndHere ends a load with the last request, which is planned: its window lasts until the last reply.
func (g *Ledger) EndHere() { g.limit, g.ended = g.k+1, true }

// Boundary is when the growing interval ends, in ns; never where none grows.
func (g *Ledger) Boundary() int64 {
	if g.k >= g.limit {
		return pacing.Never
	}
	return g.at + int64(g.k+1)*second
}

func (g *Ledger) complete() {
	g.slots[g.growing].complete = true
	g.emitIfSettled(&g.slots[g.growing])
}

func (g *Ledger) emitIfSettled(s *slot) {
	if !s.used || !s.complete || s.open > 0 || s.k >= g.over {
		return
	}
	s.used = false
	n := &s.settled
	counts := Counts{Planned: s.planned, Sent: s.sent, Answered: n[Answered], TimedOut: n[TimedOut], Censored: n[Censored],
		Dropped: n[Dropped], Mismatched: n[Mismatched], Failed: n[Failed], UnsentWaiting: s.waiting, UnsentLate: s.late}
	if s.k < len(g.arrived) {
		counts.Arrived = g.arrived[s.k]
	}
	warmup := s.k < g.warmup
	if warmup {
		g.Before.Add(&counts)
	} else {
		g.Window.Add(&counts)
	}
	g.emit(Interval{K: s.k, Warmup: warmup, Counts: counts, Lag: s.lag, Response: s.response, pool: g.pool})
}

// Plan counts a request and returns the slot that it belongs to.
func (g *Ledger) Plan(intended int64) uint16 {
	g.Advance(intended)
	s := &g.slots[g.growing]
	s.planned++
	s.open++
	return g.growing
}

// InWindow tells whether a slot belongs to the window, not to the warm-up.
func (g *Ledger) InWindow(i uint16) bool { return g.slots[i].k >= g.warmup }

// Began notes that a request was begun which is sent later, when its handshake has ended: one after the other in time.
func (g *Ledger) Began(i uint16, at int64) {
	if g.InWindow(i) {
		g.gaps.sent(at)
	}
}

// Sent counts a request whose first byte was written at now. Its lag ends when it was begun, from when on only the server kept it.
func (g *Ledger) Sent(i uint16, intended, begun, now int64) {
	s := &g.slots[i]
	s.sent++
	s.lag += begun - intended
	if s.k >= g.warmup {
		g.Lag.Record(begun - intended)
		if begun == now { // of the others Began has told
			g.gaps.sent(now)
		}
	}
	if g.FirstSend == 0 {
		g.FirstSend = now
	}
	g.LastSend = now
	if now >= g.opens && now < g.closes {
		g.Left++
	}
}

// Settle counts the outcome of a request.
func (g *Ledger) Settle(i uint16, o Outcome) {
	s := &g.slots[i]
	s.settled[o]++
	s.open--
	g.emitIfSettled(s)
}

// Unsent settles a request that never left; late: though nothing but this program kept it.
func (g *Ledger) Unsent(i uint16, o Outcome, late bool) {
	if late {
		g.slots[i].late++
	} else {
		g.slots[i].waiting++
	}
	g.Settle(i, o)
}

// Arrived counts a right reply that was read at now, unless the load was over then. One that was read while its second was being
// closed counts into the next.
func (g *Ledger) Arrived(now int64) {
	k := max(int((now-g.at)/second), g.over)
	if g.ended && k >= g.limit {
		g.limit = k + 1
		g.advance(g.at + int64(k)*second)
	}
	if k >= g.limit {
		return
	}
	for len(g.arrived) <= k {
		g.arrived = append(g.arrived, 0)
	}
	g.arrived[k]++
	g.LastReply = now
}
