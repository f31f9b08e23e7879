package epoll

import (
	"sync/atomic"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

// Each wrong that can be done to a reply is counted in its class, never as a latency; conserved checks the rest.
func TestClassesOfWrongReplies(t *testing.T) {
	t.Parallel()
	const n = 500 // planned
	for name, c := range map[string]struct {
		script   Script
		pipeline int
		check    func(*Done) bool
		want     Integrity
	}{
		"corrupt":    {AfterFirst(Corrupt), 1, func(d *Done) bool { return d.Load.Mismatched == n }, Integrity{Corrupt: n}},
		"forged":     {AfterFirst(Forge), 1, func(d *Done) bool { return d.Load.Mismatched == n }, Integrity{Corrupt: n}},
		"crossed":    {AfterFirst(Cross), 1, func(d *Done) bool { return d.Load.Mismatched == n }, Integrity{Crossed: n}},
		"foreign":    {AfterFirst(Foreign), 1, func(d *Done) bool { return d.Load.Mismatched == n }, Integrity{Foreign: n}},
		"repeated":   {AfterFirst(Earlier), 1, func(d *Done) bool { return d.Load.Mismatched == n }, Integrity{Duplicated: n}},
		"cut by FIN": {AfterFirst(HalfThenClose), 1, func(d *Done) bool { return d.Load.Failed == n && d.Lost == 20 }, Integrity{Truncated: 20}},
		"cut by RST": {AfterFirst(HalfThenReset), 1, func(d *Done) bool { return d.Load.Failed == n && d.Lost == 20 }, Integrity{Truncated: 20}},
		"honest":     {Always(Echo), 4, func(d *Done) bool { return d.Load.Answered == n }, Integrity{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(Serve(t, 64, c.script))
			cfg.Pipeline = c.pipeline
			l := start(t, cfg)
			arm(t, l)
			r := load(t, l)
			if d := &r.Done; d.Integrity != c.want || !c.check(d) || d.Surplus != 0 || d.Load.Planned != n {
				t.Errorf("%+v, %+v, surplus %d", d.Integrity, d.Load, d.Surplus)
			}
			if len(l.strange) != 0 {
				t.Errorf("%d half replies are remembered", len(l.strange))
			}
		})
	}
}

// No single bit of an echo can be wrong unnoticed, whatever the workload.
func TestEveryFlippedBitIsCorrupt(t *testing.T) {
	t.Parallel()
	for _, workload := range []string{Open, Closed, Churn} {
		t.Run(workload, func(t *testing.T) {
			t.Parallel()
			var armed, bit atomic.Int64
			cfg := Plain(Serve(t, 64, func(_, record int) Deed {
				if workload == Churn && armed.Add(1) == 1 || workload != Churn && record == 0 {
					return Echo
				}
				return Flip + Deed((bit.Add(1)-1)%512)
			}))
			cfg.Workload, cfg.Rate, cfg.Requests = workload, 512, 512
			if workload == Closed {
				cfg.Duration = 3 // it asks as often as the machine can
			}
			l := start(t, cfg)
			arm(t, l)
			d := load(t, l).Done
			if n := d.Load.Planned; n < 512 || d.Load.Mismatched != n || d.Integrity != (Integrity{Corrupt: n}) || d.Service.Count() != 0 {
				t.Errorf("%+v, %+v", d.Load, d.Integrity)
			}
		})
	}
}

// Where no request waits a reply too many is surplus, elsewhere it shifts those behind it: a duplicate all the same.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	for _, workload := range []string{Open, Churn} {
		t.Run(workload, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(Serve(t, 64, func(connection, record int) Deed {
				if record == 0 && (workload == Open || connection == 0) {
					return Echo
				}
				return Duplicate
			}))
			cfg.Workload, cfg.Requests = workload, 500
			l := start(t, cfg)
			arm(t, l)
			d := load(t, l).Done
			if g := d.Integrity; d.Load.Answered+d.Load.Mismatched != 500 || g.Duplicated < 480 || g != (Integrity{Duplicated: g.Duplicated}) ||
				g.Duplicated != d.Load.Mismatched+d.Surplus/64 {
				t.Errorf("%+v, %+v, surplus %d", d.Load, g, d.Surplus)
			}
		})
	}
}

// Of two replies that change places the later one is early, and the earlier one comes after a later one.
func TestReordered(t *testing.T) {
	t.Parallel()
	cfg := Plain(Serve(t, 64, func(_, record int) Deed {
		if record%2 == 1 {
			return HoldBack
		}
		return Echo
	}))
	cfg.Workload, cfg.Connections, cfg.Active, cfg.Pipeline = Closed, 1, 1, 2
	l := start(t, cfg)
	arm(t, l)
	d := load(t, l).Done
	if g := d.Integrity; g.Reordered == 0 || g.Reordered+g.Duplicated != d.Load.Mismatched || g != (Integrity{Reordered: g.Reordered, Duplicated: g.Duplicated}) || d.Load.Answered != 0 {
		t.Errorf("%+v, %+v", d.Load, g)
	}
}

// A reply after the timeout is right and too late: nothing is wrong with it, but its request stays timed out.
func TestLate(t *testing.T) {
	t.Parallel()
	for _, workload := range []string{Open, Closed} {
		t.Run(workload, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(Serve(t, 64, AfterFirst(Late)))
			cfg.Workload, cfg.Timeout = workload, 400*time.Millisecond
			l := start(t, cfg)
			arm(t, l)
			d := load(t, l).Done
			if g := d.Integrity; g.Late < 20 || g != (Integrity{Late: g.Late}) || d.Load.TimedOut != d.Load.Planned || d.Surplus != 0 {
				t.Errorf("%+v, %+v, surplus %d", d.Load, g, d.Surplus)
			}
		})
	}
}

// A wrong reply to the echo of arming is told by its class too.
func TestWrongWhileArming(t *testing.T) {
	l := start(t, Plain(Serve(t, 64, Always(Foreign))))
	if a := arm(t, l); a.Failed["verify/mismatched"] != 20 || l.accounts.Integrity != (Integrity{Foreign: 20}) {
		t.Errorf("%+v, %+v", a, l.accounts.Integrity)
	}
}
