package engine

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// conserved checks what must hold whatever happened.
func conserved(t *testing.T, l *Loop, r *trial) {
	t.Helper()
	var warmup, window Counts
	seen := map[int]bool{}
	for _, i := range r.intervals {
		c := i.Counts
		if c.Planned != c.Settled() || c.Sent > c.Planned || c.Answered != i.Response.Count() || c.Answered+c.Mismatched > c.Sent {
			t.Errorf("interval %d: %+v, %d latencies", i.K, c, i.Response.Count())
		}
		if seen[i.K] {
			t.Errorf("interval %d came twice", i.K)
		}
		seen[i.K] = true
		if i.Warmup {
			warmup.Add(&c)
		} else {
			window.Add(&c)
		}
	}
	if warmup != r.done.Warmup || window != r.done.Load {
		t.Errorf("intervals give %+v and %+v, totals %+v and %+v", warmup, window, r.done.Warmup, r.done.Load)
	}
	if d := r.done; d.Lag.Count() != d.Load.Sent || d.Service.Count() != d.Load.Answered {
		t.Errorf("%d lags of %d sent, %d service times of %d answered", d.Lag.Count(), d.Load.Sent, d.Service.Count(), d.Load.Answered)
	}
	if l.slab.oldest != nothing {
		t.Error("a request is left unsettled")
	}
	strange := 0
	for i := range l.connections {
		if c := &l.connections[i]; c.wrong || c.stray {
			strange++
		}
	}
	if strange != len(l.strange) {
		t.Errorf("%d wrong replies are begun, %d remembered", strange, len(l.strange))
	}
	g := r.done.Integrity
	if wrong := r.done.Load.Mismatched + r.done.Warmup.Mismatched; wrong > g.Corrupt+g.Duplicated+g.Reordered+g.Crossed+g.Foreign {
		t.Errorf("%d mismatched, classes %+v", wrong, g)
	}
	if late := r.done.Load.TimedOut + r.done.Warmup.TimedOut; g.Late > late {
		t.Errorf("%d late of %d timed out", g.Late, late)
	}
}

// Whatever a server does, in any order, to any workload, and whenever it is stopped, every request is settled once.
func TestConservation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(18) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			conserves(t, seed)
		})
	}
}

// Erratic gives a trial against a server that does anything, in the order of the seed, and when to stop it.
func erratic(t *testing.T, seed uint64) (Config, time.Duration) {
	random := rand.New(rand.NewPCG(seed, 1))
	size := []int{32, 64, 300, 100_000}[random.IntN(4)]
	pipeline := 1 + random.IntN(5)
	stop := time.Duration(200+random.IntN(3000)) * time.Millisecond
	deeds := []deed{echo, echo, echo, echo, echo, echo, trickle, corrupt, truncate, duplicate, freeze, ignore, closeIt, resetIt, halfThenReset}
	var mu sync.Mutex // from here on random belongs to the server
	cfg := config(serve(t, size, func(_, record int) deed {
		if record == 0 && seed%2 == 0 {
			return echo
		}
		mu.Lock()
		defer mu.Unlock()
		return deeds[random.IntN(len(deeds))]
	}))
	cfg.PayloadBytes, cfg.Pipeline, cfg.ArmTimeout = size, pipeline, 500*time.Millisecond
	cfg.Timeout = time.Second
	cfg.Workload = []string{Open, Churn, Closed}[seed%3]
	return cfg, stop
}

func conserves(t *testing.T, seed uint64) {
	cfg, stop := erratic(t, seed)
	l := start(t, cfg)
	arm(t, l)
	defer time.AfterFunc(stop, l.Stop).Stop()
	r := load(t, l)
	t.Logf("%s of %d bytes, stop after %v: %+v, surplus %d", cfg.Workload, cfg.PayloadBytes, stop, r.done.Load, r.done.Surplus)
	t.Logf("%+v", r.done.Integrity)
}
