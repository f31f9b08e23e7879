package engine

import (
	"net/netip"
	"testing"
	"time"
)

func churnConfig(target netip.AddrPort) Config {
	cfg := config(target)
	cfg.Workload, cfg.Requests = Churn, 300
	return cfg
}

func TestChurnDoesItsRequests(t *testing.T) {
	cfg := churnConfig(serve(t, 64, always(echo)))
	cfg.Warmup = 3 // has no place where requests are counted
	l := start(t, cfg)
	if a := arm(t, l); a.Verified != 1 || a.Connected != 1 || len(a.Failed) != 0 {
		t.Fatalf("armed %+v", a)
	}
	r := load(t, l)
	if want := (Counts{Planned: 300, Sent: 300, Answered: 300}); r.done.Load != want || r.done.Warmup != (Counts{}) {
		t.Errorf("%+v", r.done)
	}
	if d := r.done; d.Connect.Count() != 300 || d.Lost != 0 || d.Open != 0 || d.Surplus != 0 || len(d.Errors) != 0 {
		t.Errorf("%+v, %d connects", d, d.Connect.Count())
	}
}

func TestChurnForATime(t *testing.T) {
	cfg := churnConfig(serve(t, 64, always(echo)))
	cfg.Requests, cfg.Warmup, cfg.Connections = -1, 1, 4
	l := start(t, cfg)
	arm(t, l)
	begun := time.Now()
	r := load(t, l)
	if took := time.Since(begun); took < 2*time.Second || took > 4500*time.Millisecond || len(r.intervals) != 2 {
		t.Errorf("%d intervals in %v", len(r.intervals), took)
	}
	if d := r.done; d.Warmup.Answered == 0 || d.Load.Answered == 0 || d.Load.Answered != d.Load.Planned || d.Connect.Count() != d.Load.Planned {
		t.Errorf("%+v, %d connects", d, d.Connect.Count())
	}
}

func TestChurnWithoutAShareKeepsTheIntervals(t *testing.T) {
	t.Parallel()
	cfg := churnConfig(serve(t, 64, always(echo)))
	cfg.Requests, cfg.Connections, cfg.Active = -1, 0, 0
	l := start(t, cfg)
	arm(t, l)
	if r := load(t, l); len(r.intervals) != 1 || r.done.Load != (Counts{}) {
		t.Errorf("%d intervals, %+v", len(r.intervals), r.done.Load)
	}
}

func TestChurnHostileDeeds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deed     deed
		isSilent bool // nothing but the timeout ends its requests
		check    func(*Done) bool
	}{
		"corrupt":   {corrupt, false, func(d *Done) bool { return d.Load.Mismatched == 300 }},
		"duplicate": {duplicate, false, func(d *Done) bool { return d.Load.Answered == 300 && d.Surplus == 300*64 }},
		"truncate":  {truncate, true, func(d *Done) bool { return d.Load.TimedOut == 300 && d.Errors[0].Cause == "timeout" }},
		"ignore":    {ignore, true, func(d *Done) bool { return d.Load.TimedOut == 300 && d.Load.Sent == 300 }},
		"close":     {closeIt, false, func(d *Done) bool { return d.Load.Failed == 300 && d.Errors[0].Cause == "peer-closed" }},
		"reset":     {resetIt, false, func(d *Done) bool { return d.Load.Failed == 300 && d.Errors[0].Cause == "reset" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := churnConfig(serve(t, 64, func(connection, _ int) deed {
				if connection == 0 {
					return echo
				}
				return c.deed
			}))
			cfg.Connections = 100
			if c.isSilent {
				cfg.Timeout = time.Second
			}
			l := start(t, cfg)
			arm(t, l)
			if r := load(t, l); !c.check(&r.done) {
				t.Errorf("%+v", r.done)
			}
		})
	}
}

// A server that refuses must not make the generator spin: each of 20 connections tries again after its rest only.
func TestChurnRestsAfterRefusal(t *testing.T) {
	cfg := churnConfig(netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Requests = -1
	l := start(t, cfg)
	if a := arm(t, l); a.Failed["connect/refused"] != 1 {
		t.Fatalf("armed %+v", a)
	}
	r := load(t, l)
	if d := r.done.Load; d.Failed != d.Planned || d.Failed < 20*10 || d.Failed > 20*21 || d.Sent != 0 {
		t.Errorf("%+v", d)
	}
}

// The last request may fail before the loop waits for it; then there is nothing to wait for.
func TestChurnEndsThoughAllIsRefused(t *testing.T) {
	l := start(t, churnConfig(netip.MustParseAddrPort("127.0.0.1:1")))
	arm(t, l)
	defer time.AfterFunc(patience, l.Stop).Stop()
	begun := time.Now()
	r := load(t, l)
	if took := time.Since(begun); r.done.Load != (Counts{Planned: 300, Failed: 300}) || took > patience/2 {
		t.Errorf("%+v after %v", r.done.Load, took)
	}
}

// Without a source port connect fails at once, with no event to wake the loop.
func TestChurnWithoutSource(t *testing.T) {
	t.Parallel()
	cfg := churnConfig(netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	l := start(t, cfg)
	arm(t, l)
	defer time.AfterFunc(patience, l.Stop).Stop()
	if r := load(t, l); r.done.Load != (Counts{Planned: 300, Failed: 300}) {
		t.Errorf("%+v", r.done.Load)
	}
}

func TestChurnStops(t *testing.T) {
	waiting := make(chan bool, 20)
	l := start(t, churnConfig(serve(t, 64, func(connection, _ int) deed {
		if connection == 0 {
			return echo
		}
		waiting <- true
		return ignore
	})))
	arm(t, l)
	go func() {
		for range 20 {
			<-waiting
		}
		l.Stop()
	}()
	if r := load(t, l); r.done.Load.Censored != 20 || len(r.done.Errors) != 0 {
		t.Errorf("%+v", r.done)
	}
}
