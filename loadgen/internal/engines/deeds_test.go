package engines

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

const planned = 500 // requests of Plain

// A deedCase is what comes of a deed that is done to every record of the window, with either engine.
type deedCase struct {
	deed    Deed
	load    Counts
	wrong   Integrity
	surplus int64
	errors  string
}

// check compares a trial with what must come of it.
func (c *deedCase) check(t *testing.T, d *Done) {
	t.Helper()
	rows := ""
	for _, r := range d.Errors {
		rows += fmt.Sprintf("%s/%s %d", r.Phase, r.Cause, r.Count)
	}
	if Planned(d.Load) != c.load || d.Integrity != c.wrong || d.Surplus != c.surplus || rows != c.errors {
		t.Errorf("%+v\nwant %+v", d, c)
	}
}

func mismatched(n int64) Counts { return Counts{Planned: n, Sent: n, Mismatched: n} }

// Each deed must show as exactly what it is, and a wrong reply in its class, never as a latency.
func TestDeeds(t *testing.T) {
	const n = planned
	silence := Counts{Planned: n, Sent: 20, TimedOut: n, UnsentWaiting: n - 20}
	loss := Counts{Planned: n, Sent: 20, Failed: n, UnsentWaiting: n - 20}
	eachOf(t, map[string]deedCase{
		"trickle":    {Trickle, Counts{Planned: n, Sent: n, Answered: n}, Integrity{}, 0, ""},
		"ignore":     {Ignore, silence, Integrity{}, 0, ""},
		"truncate":   {Truncate, silence, Integrity{Truncated: 20}, 0, ""},
		"close":      {CloseIt, loss, Integrity{}, 0, "read/peer-closed 20"},
		"reset":      {ResetIt, loss, Integrity{}, 0, "read/reset 20"},
		"cut by FIN": {HalfThenClose, loss, Integrity{Truncated: 20}, 0, "read/peer-closed 20"},
		"cut by RST": {HalfThenReset, loss, Integrity{Truncated: 20}, 0, "read/reset 20"},
		"corrupt":    {Corrupt, mismatched(n), Integrity{Corrupt: n}, 0, ""},
		"forged":     {Forge, mismatched(n), Integrity{Corrupt: n}, 0, ""},
		"refilled":   {Refill, mismatched(n), Integrity{Corrupt: n}, 0, ""},
		"crossed":    {Cross, mismatched(n), Integrity{Crossed: n}, 0, ""},
		"foreign":    {Foreign, mismatched(n), Integrity{Foreign: n}, 0, ""},
		"repeated":   {Earlier, mismatched(n), Integrity{Duplicated: n}, 0, ""},
	}, func(t *testing.T, kind string, c deedCase) {
		cfg := Plain(Serve(t, 64, AfterFirst(c.deed)))
		if c.load == silence {
			cfg.Timeout = 2 * time.Second
		}
		d := trial(t, cfg, kind).Done
		c.check(t, &d)
		if d.Armed != 20 || (d.Lost == 20) != (c.load == loss) || d.Lost%20 != 0 {
			t.Errorf("%d armed, %d lost", d.Armed, d.Lost)
		}
	})
}

// churning is 300 requests, each on a connection of its own.
func churning(target netip.AddrPort) Config {
	cfg := Plain(target)
	cfg.Workload, cfg.Requests = Churn, 300
	return cfg
}

// afterFirstConnection does so where each request has its own connection.
func afterFirstConnection(d Deed) Script {
	return func(connection, _ int) Deed { return AfterFirst(d)(0, connection) }
}

func TestChurnDeeds(t *testing.T) {
	const n = 300
	silence, loss := Counts{Planned: n, Sent: n, TimedOut: n}, Counts{Planned: n, Sent: n, Failed: n}
	answered := Counts{Planned: n, Sent: n, Answered: n}
	eachOf(t, map[string]deedCase{
		"echo":      {Echo, answered, Integrity{}, 0, ""},
		"duplicate": {Duplicate, answered, Integrity{Duplicated: n}, n * 64, ""},
		"corrupt":   {Corrupt, mismatched(n), Integrity{Corrupt: n}, 0, ""},
		"truncate":  {Truncate, silence, Integrity{Incomplete: n}, 0, "read/timeout 300"},
		"ignore":    {Ignore, silence, Integrity{}, 0, "read/timeout 300"},
		"close":     {CloseIt, loss, Integrity{}, 0, "read/peer-closed 300"},
		"reset":     {ResetIt, loss, Integrity{}, 0, "read/reset 300"},
		"half":      {HalfThenReset, loss, Integrity{Truncated: n}, 0, "read/reset 300"},
	}, func(t *testing.T, kind string, c deedCase) {
		cfg := churning(Serve(t, 64, afterFirstConnection(c.deed)))
		cfg.Connections, cfg.Warmup = 100, 3 // a warm-up has no place where requests are counted
		if c.load == silence {
			cfg.Timeout = 2 * time.Second
		}
		e, a := armed(t, cfg, kind)
		if a.Verified != 1 || a.Connected != 1 || len(a.Failed) != 0 {
			t.Fatalf("armed %+v", a)
		}
		d := Load(t, e).Done
		c.check(t, &d)
		if d.Connect.Count() != n || d.Lost != 0 || d.Open != 0 || d.Warmup != (Counts{}) {
			t.Errorf("%+v, %d connects", d, d.Connect.Count())
		}
	})
}

// A server that freezes answers what it can in time.
func TestFreezes(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, AfterFirst(Freeze)))
		cfg.Timeout = 2 * time.Second
		if d := trial(t, cfg, kind).Done; d.Load.Answered == 0 || d.Load.Answered+d.Load.TimedOut != planned || d.Lost != 0 {
			t.Errorf("%+v", d)
		}
	})
}

// No single bit of an echo can be wrong unnoticed, whatever the workload.
func TestEveryFlippedBitIsCorrupt(t *testing.T) {
	eachOf(t, map[string]string{"open": Open, "closed": Closed, "churn": Churn}, func(t *testing.T, kind, workload string) {
		var bit atomic.Int64
		cfg := Plain(Serve(t, 64, func(connection, record int) Deed {
			if record == 0 && (workload != Churn || connection == 0) {
				return Echo
			}
			return Flip + Deed((bit.Add(1)-1)%512)
		}))
		cfg.Workload, cfg.Rate, cfg.Requests = workload, 512, 512
		if workload == Closed {
			cfg.Duration = 3 // it asks as often as the machine can
		}
		d := trial(t, cfg, kind).Done
		if n := d.Load.Planned; n < 512 || d.Load.Mismatched != n || d.Integrity != (Integrity{Corrupt: n}) || d.Service.Count() != 0 {
			t.Errorf("%+v, %+v", d.Load, d.Integrity)
		}
	})
}

// Where no request waits a reply too many is surplus, elsewhere it shifts those behind it: a duplicate all the same.
func TestDuplicates(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		d := trial(t, Plain(Serve(t, 64, AfterFirst(Duplicate))), kind).Done
		if g := d.Integrity; d.Load.Answered+d.Load.Mismatched != planned || g.Duplicated < 480 || g != (Integrity{Duplicated: g.Duplicated}) ||
			g.Duplicated != d.Load.Mismatched+d.Surplus/64 {
			t.Errorf("%+v, %+v, surplus %d", d.Load, g, d.Surplus)
		}
	})
}

// What nobody asked for is surplus, and does not spoil what comes after it.
func TestSurplus(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Listen(t, func(c *net.TCPConn, _ int) {
			record := make([]byte, 64)
			for {
				if _, err := io.ReadFull(c, record); err != nil {
					return
				}
				if _, err := c.Write(append(record, record[:13]...)); err != nil {
					return
				}
			}
		}))
		cfg.Rate = 20 // one of each connection: none goes out before the surplus of the last is in
		e, _ := armed(t, cfg, kind)
		if d := Load(t, e).Done; d.Load.Answered != 20 || d.Surplus != 13*40 || d.Integrity != (Integrity{}) {
			t.Errorf("%+v", d)
		}
		if p := e.Prove(cfg.ArmEnd()); p != (Proved{Verified: 20, Failed: 0}) {
			t.Errorf("proved at the end %+v", p)
		}
	})
}

// Of two replies that change places the later one is early, and the earlier one comes after a later one.
func TestReordered(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, func(_, record int) Deed {
			if record%2 == 1 {
				return HoldBack
			}
			return Echo
		}))
		cfg.Workload, cfg.Connections, cfg.Active, cfg.Pipeline = Closed, 1, 1, 2
		d := trial(t, cfg, kind).Done
		if g := d.Integrity; g.Reordered == 0 || g.Reordered+g.Duplicated != d.Load.Mismatched || g != (Integrity{Reordered: g.Reordered, Duplicated: g.Duplicated}) || d.Load.Answered != 0 {
			t.Errorf("%+v, %+v", d.Load, g)
		}
	})
}

// A reply after the timeout is right and too late: nothing is wrong with it, but its request stays timed out.
func TestLate(t *testing.T) {
	eachOf(t, map[string]string{"open": Open, "closed": Closed}, func(t *testing.T, kind, workload string) {
		cfg := Plain(Serve(t, 64, AfterFirst(Freeze)))
		cfg.Workload, cfg.Timeout = workload, 400*time.Millisecond
		d := trial(t, cfg, kind).Done
		if g := d.Integrity; g.Late < 20 || g != (Integrity{Late: g.Late}) || d.Load.TimedOut != d.Load.Planned || d.Surplus != 0 {
			t.Errorf("%+v, %+v, surplus %d", d.Load, g, d.Surplus)
		}
	})
}

// A server that takes in nothing must stall nobody but itself.
func TestFullSocket(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		const size = 1 << 20
		cfg := Plain(Listen(t, func(c *net.TCPConn, number int) {
			record := make([]byte, size)
			for i := 0; i == 0 || number > 0; i++ {
				if _, err := io.ReadFull(c, record); err != nil {
					return
				}
				_, _ = c.Write(record)
			}
			Hold(t)(c, number)
		}))
		cfg.Connections, cfg.Active, cfg.Rate, cfg.PayloadBytes, cfg.Pipeline, cfg.Timeout = 2, 2, 40, size, 20, 5*time.Second
		if d := trial(t, cfg, kind).Done; d.Load.Answered != 20 || d.Load.TimedOut != 20 || d.Load.Sent == 40 {
			t.Errorf("%+v", d.Load)
		}
	})
}

func TestChurnForATime(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := churning(Serve(t, 64, Always(Echo)))
		cfg.Requests, cfg.Warmup, cfg.Connections = -1, 1, 4
		e, _ := armed(t, cfg, kind)
		begun := time.Now()
		r := Load(t, e)
		if took := time.Since(begun); took < 2*time.Second || took > Patience || len(r.Intervals) != 2 {
			t.Errorf("%d intervals in %v", len(r.Intervals), took)
		}
		if d := r.Done; d.Warmup.Answered == 0 || d.Load.Answered == 0 || d.Load.Answered != d.Load.Planned || d.Connect.Count() != d.Load.Planned {
			t.Errorf("%+v, %d connects", d, d.Connect.Count())
		}
	})
}

// A server that refuses must not make the generator spin: each of 20 connections tries again after its rest only.
func TestChurnRestsAfterRefusal(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := churning(netip.MustParseAddrPort("127.0.0.1:1"))
		cfg.Requests = -1
		e, a := armed(t, cfg, kind)
		if a.Failed["connect/refused"] != 1 {
			t.Fatalf("armed %+v", a)
		}
		if d := Load(t, e).Done.Load; d.Failed != d.Planned || d.Failed < 20*2 || d.Failed > 20*21 || d.Sent != 0 {
			t.Errorf("%+v", d)
		}
	})
}

// The last request may fail before the engine waits for it; then there is nothing to wait for. Without a source connect fails
// at once, with no event to wake the loop.
func TestChurnEndsThoughAllFail(t *testing.T) {
	// A server that refuses keeps them; where this host has no address for them it is its own doing.
	refused, none := Counts{Planned: 300, Failed: 300, UnsentWaiting: 300}, Counts{Planned: 300, Failed: 300, UnsentLate: 300}
	eachOf(t, map[string]Counts{"refused": refused, "no source": none}, func(t *testing.T, kind string, want Counts) {
		cfg := churning(netip.MustParseAddrPort("127.0.0.1:1"))
		if want == none {
			cfg.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
		}
		e, _ := armed(t, cfg, kind)
		defer time.AfterFunc(Patience, e.Stop).Stop()
		begun := time.Now()
		d := Load(t, e).Done
		if took := time.Since(begun); d.Load != want || took > Patience/2 {
			t.Errorf("%+v after %v", d.Load, took)
		}
	})
}

// A server that never ceases to talk is surplus, and keeps the engine neither from its end nor from proving.
func TestFlood(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Listen(t, func(c *net.TCPConn, _ int) {
			record, noise := make([]byte, 64), make([]byte, 1<<20)
			_, err := io.ReadFull(c, record)
			for _, _ = c.Write(record); err == nil; {
				_, err = c.Write(noise)
			}
		}))
		cfg.Connections, cfg.Active, cfg.Rate, cfg.Timeout = 2, 2, 0, time.Second
		e, _ := armed(t, cfg, kind)
		begun := time.Now()
		d := Load(t, e).Done
		p := e.Prove(cfg.ArmEnd())
		if took := time.Since(begun); took > Patience || d.Surplus == 0 {
			t.Errorf("%v, %+v, %+v", took, p, d)
		}
	})
}

// A churn ends when its time is over, though not every connection has had its first turn.
func TestChurnEndsBeforeAllHaveCome(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := churning(Serve(t, 64, Always(Echo)))
		cfg.Requests, cfg.ConnectRate = -1, 0.1
		e, _ := armed(t, cfg, kind)
		defer time.AfterFunc(2*Patience, e.Stop).Stop()
		begun := time.Now()
		d := Load(t, e).Done
		if took := time.Since(begun); took > Patience || d.Load.Answered == 0 || d.Load.Answered != d.Load.Planned {
			t.Errorf("after %v: %+v", took, d.Load)
		}
	})
}

// A reply that is cut short is counted, exactly as often as the server did it: where it is the last of its connection, when it
// has been silent for a timeout; where another record follows, at once, and what follows is right.
func TestCutShort(t *testing.T) {
	eachOf(t, map[string]struct {
		pipeline int
		deed     Deed
		class    func(Integrity) int64
	}{
		"then nothing":         {1, Truncate, func(g Integrity) int64 { return g.Truncated }},
		"then the next":        {3, Truncate, func(g Integrity) int64 { return g.Truncated }},
		"wrong, then nothing":  {1, Garble, func(g Integrity) int64 { return g.Corrupt }},
		"wrong, then the next": {3, Garble, func(g Integrity) int64 { return g.Corrupt }},
	}, func(t *testing.T, kind string, c struct {
		pipeline int
		deed     Deed
		class    func(Integrity) int64
	}) {
		var cut, records atomic.Int64 // one in 37 of 100 connections in turn: never the same one twice in a row
		cfg := Plain(Serve(t, 64, func(_, record int) Deed {
			if record > 0 && records.Add(1)%37 == 0 {
				cut.Add(1)
				return c.deed
			}
			return Echo
		}))
		cfg.Connections, cfg.Active, cfg.Pipeline, cfg.Timeout = 100, 100, c.pipeline, time.Second
		d := trial(t, cfg, kind).Done
		if n := cut.Load(); n == 0 || c.class(d.Integrity) != n || d.Integrity.Incomplete != 0 ||
			d.Integrity.Truncated+d.Integrity.Corrupt != n {
			t.Errorf("%d were cut: %+v, %+v", n, d.Integrity, d.Load)
		}
	})
}

// A server that is slow with large records is late, and in the middle of a record at the end: nothing of that is wrong.
func TestSlowIsNotCutShort(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		const size = 1 << 20
		cfg := Plain(Listen(t, func(c *net.TCPConn, _ int) {
			record := make([]byte, size)
			for i := 0; ; i++ {
				if _, err := io.ReadFull(c, record); err != nil {
					return
				}
				for rest := record; len(rest) > 0; rest = rest[size/64:] {
					if _, err := c.Write(rest[:size/64]); err != nil {
						return
					}
					if i > 0 {
						time.Sleep(20 * time.Millisecond) // so a record takes 1.3 s
					}
				}
			}
		}))
		cfg.Connections, cfg.Active, cfg.Rate, cfg.PayloadBytes, cfg.Timeout, cfg.Duration = 4, 4, 8, size, time.Second, 2
		d := trial(t, cfg, kind).Done
		if g := d.Integrity; g.Late+g.Incomplete == 0 || g != (Integrity{Late: g.Late, Incomplete: g.Incomplete}) || d.Load.TimedOut != d.Load.Planned {
			t.Errorf("%+v, %+v", d.Load, g)
		}
	})
}

// A few bytes that nobody asked for, in front of a reply, are surplus, and the reply is right.
func TestStrayInFrontOfAReply(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, AfterFirst(Stray)))
		d := trial(t, cfg, kind).Done
		if d.Load.Answered != planned || d.Surplus != 7*planned || d.Integrity != (Integrity{}) {
			t.Errorf("%+v, surplus %d, %+v", d.Load, d.Surplus, d.Integrity)
		}
	})
}

// A server that closes first, after it has answered, is no error of a workload that closes each connection itself.
func TestChurnOfAServerThatClosesFirst(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		for range 10 { // the end of the trial connection may come before or after the engine's own
			cfg := churning(Listen(t, func(c *net.TCPConn, _ int) {
				record := make([]byte, 64)
				if _, err := io.ReadFull(c, record); err == nil {
					_, _ = c.Write(record)
				}
			}))
			cfg.Requests, cfg.Connections = 20, 5
			if d := trial(t, cfg, kind).Done; d.Load.Answered != 20 || len(d.Errors) != 0 {
				t.Errorf("%+v, %+v", d.Load, d.Errors)
			}
		}
	})
}
