package epoll

import (
	"net/netip"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

func TestChurnDoesItsRequests(t *testing.T) {
	cfg := Churning(Serve(t, 64, Always(Echo)))
	cfg.Warmup = 3 // has no place where requests are counted
	l := start(t, cfg)
	if a := arm(t, l); a.Verified != 1 || a.Connected != 1 || len(a.Failed) != 0 {
		t.Fatalf("armed %+v", a)
	}
	r := load(t, l)
	if want := (Counts{Planned: 300, Sent: 300, Answered: 300}); r.Done.Load != want || r.Done.Warmup != (Counts{}) {
		t.Errorf("%+v", r.Done)
	}
	if d := r.Done; d.Connect.Count() != 300 || d.Lost != 0 || d.Open != 0 || d.Surplus != 0 || len(d.Errors) != 0 {
		t.Errorf("%+v, %d connects", d, d.Connect.Count())
	}
}

func TestChurnForATime(t *testing.T) {
	cfg := Churning(Serve(t, 64, Always(Echo)))
	cfg.Requests, cfg.Warmup, cfg.Connections = -1, 1, 4
	l := start(t, cfg)
	arm(t, l)
	begun := time.Now()
	r := load(t, l)
	if took := time.Since(begun); took < 2*time.Second || took > 4500*time.Millisecond || len(r.Intervals) != 2 {
		t.Errorf("%d intervals in %v", len(r.Intervals), took)
	}
	if d := r.Done; d.Warmup.Answered == 0 || d.Load.Answered == 0 || d.Load.Answered != d.Load.Planned || d.Connect.Count() != d.Load.Planned {
		t.Errorf("%+v, %d connects", d, d.Connect.Count())
	}
}

func TestChurnWithoutAShareKeepsTheIntervals(t *testing.T) {
	t.Parallel()
	cfg := Churning(Serve(t, 64, Always(Echo)))
	cfg.Requests, cfg.Connections, cfg.Active = -1, 0, 0
	l := start(t, cfg)
	arm(t, l)
	if r := load(t, l); len(r.Intervals) != 1 || r.Done.Load != (Counts{}) {
		t.Errorf("%d intervals, %+v", len(r.Intervals), r.Done.Load)
	}
}

func TestChurnHostileDeeds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deed     Deed
		isSilent bool // nothing but the timeout ends its requests
		check    func(*Done) bool
	}{
		"corrupt":   {Corrupt, false, func(d *Done) bool { return d.Load.Mismatched == 300 }},
		"duplicate": {Duplicate, false, func(d *Done) bool { return d.Load.Answered == 300 && d.Surplus == 300*64 }},
		"truncate":  {Truncate, true, func(d *Done) bool { return d.Load.TimedOut == 300 && d.Errors[0].Cause == "timeout" }},
		"ignore":    {Ignore, true, func(d *Done) bool { return d.Load.TimedOut == 300 && d.Load.Sent == 300 }},
		"close":     {CloseIt, false, func(d *Done) bool { return d.Load.Failed == 300 && d.Errors[0].Cause == "peer-closed" }},
		"reset":     {ResetIt, false, func(d *Done) bool { return d.Load.Failed == 300 && d.Errors[0].Cause == "reset" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Churning(Serve(t, 64, func(connection, _ int) Deed {
				if connection == 0 {
					return Echo
				}
				return c.deed
			}))
			cfg.Connections = 100
			if c.isSilent {
				cfg.Timeout = time.Second
			}
			l := start(t, cfg)
			arm(t, l)
			if r := load(t, l); !c.check(&r.Done) {
				t.Errorf("%+v", r.Done)
			}
		})
	}
}

// A server that refuses must not make the generator spin: each of 20 connections tries again after its rest only.
func TestChurnRestsAfterRefusal(t *testing.T) {
	cfg := Churning(netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Requests = -1
	l := start(t, cfg)
	if a := arm(t, l); a.Failed["connect/refused"] != 1 {
		t.Fatalf("armed %+v", a)
	}
	r := load(t, l)
	if d := r.Done.Load; d.Failed != d.Planned || d.Failed < 20*10 || d.Failed > 20*21 || d.Sent != 0 {
		t.Errorf("%+v", d)
	}
}

// The last request may fail before the loop waits for it; then there is nothing to wait for.
func TestChurnEndsThoughAllIsRefused(t *testing.T) {
	l := start(t, Churning(netip.MustParseAddrPort("127.0.0.1:1")))
	arm(t, l)
	defer time.AfterFunc(Patience, l.Stop).Stop()
	begun := time.Now()
	r := load(t, l)
	if took := time.Since(begun); r.Done.Load != (Counts{Planned: 300, Failed: 300}) || took > Patience/2 {
		t.Errorf("%+v after %v", r.Done.Load, took)
	}
}

// Without a source port connect fails at once, with no event to wake the loop.
func TestChurnWithoutSource(t *testing.T) {
	t.Parallel()
	cfg := Churning(netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	l := start(t, cfg)
	arm(t, l)
	defer time.AfterFunc(Patience, l.Stop).Stop()
	if r := load(t, l); r.Done.Load != (Counts{Planned: 300, Failed: 300}) {
		t.Errorf("%+v", r.Done.Load)
	}
}

func TestChurnStops(t *testing.T) {
	waiting := make(chan bool, 20)
	l := start(t, Churning(Serve(t, 64, func(connection, _ int) Deed {
		if connection == 0 {
			return Echo
		}
		waiting <- true
		return Ignore
	})))
	arm(t, l)
	go func() {
		for range 20 {
			<-waiting
		}
		l.Stop()
	}()
	if r := load(t, l); r.Done.Load.Censored != 20 || len(r.Done.Errors) != 0 {
		t.Errorf("%+v", r.Done)
	}
}
