package enginetest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"c10k/loadgen/internal/engine"
)

// Main lets more tests run at once than there are processors, for nearly all of their time they wait.
func Main(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() == "" {
		_ = flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}

// Patience is how long a test waits for what must come. Under the race detector, a machine with other work may take seconds for an answer.
const Patience = 20 * time.Second

// Ahead is how long after its order a load starts, in ns: enough for a machine with other work.
const Ahead = 500e6

// Plain is an open loop of 500 requests in one second on 20 connections.
func Plain(target netip.AddrPort) engine.Config {
	return engine.Config{Run: 20945436, Targets: []netip.AddrPort{target}, Workload: engine.Open, Connections: 20, FirstConnection: 100, Active: 20,
		Rate: 500, Arrival: "fixed", Requests: -1, Pipeline: 1, PayloadBytes: 64, Duration: 1, Timeout: Patience, ArmTimeout: 5 * time.Second, Seed: 71}
}

// A Trial is one whole use of an engine.
type Trial struct {
	Done      engine.Done
	Intervals []engine.Interval
}

// Load offers the load of an engine that is armed, and checks what must hold whatever happened.
func Load(t *testing.T, e engine.Engine) *Trial {
	t.Helper()
	r := &Trial{}
	var err error
	if r.Done, err = e.Run(engine.Monotonic()+Ahead, func(i engine.Interval) { r.Intervals = append(r.Intervals, i) }); err != nil {
		t.Error(err)
		return r
	}
	var warmup, window engine.Counts
	last := 0
	seen := map[int]bool{}
	for _, i := range r.Intervals {
		c := i.Counts
		if c.Planned != c.Settled() || c.Sent > c.Planned || c.Answered != i.Response.Count() || c.Answered+c.Mismatched > c.Sent+c.UnsentWaiting ||
			c.Planned != c.Sent+c.Unsent() {
			t.Errorf("interval %d: %+v, %d latencies", i.K, c, i.Response.Count())
		}
		if seen[i.K] {
			t.Errorf("interval %d came twice", i.K)
		}
		seen[i.K] = true
		last = max(last, i.K)
		if i.Warmup {
			warmup.Add(&c)
		} else {
			window.Add(&c)
		}
	}
	d := &r.Done
	if warmup != d.Warmup || window != d.Load {
		t.Errorf("intervals give %+v and %+v, totals %+v and %+v", warmup, window, d.Warmup, d.Load)
	}
	if d.Lag.Count() != d.Load.Sent || d.Service.Count() != d.Load.Answered || len(d.SendGaps) > engine.MostSendGaps {
		t.Errorf("%d lags of %d sent, %d service times of %d answered, %d gaps", d.Lag.Count(), d.Load.Sent, d.Service.Count(), d.Load.Answered,
			len(d.SendGaps))
	}
	g := d.Integrity
	// The replies of a load are those to its requests, whenever they came; after its last second they are in no interval.
	arrived, right := warmup.Arrived+window.Arrived, warmup.Answered+window.Answered+g.Late
	if arrived > right || (d.LastReply != 0) != (arrived > 0) || len(seen) != 0 && len(seen) != last+1 {
		t.Errorf("%d arrived, %d right replies, the last at %d; %d intervals to %d", arrived, right, d.LastReply, len(seen), last)
	}
	if wrong := d.Load.Mismatched + d.Warmup.Mismatched; wrong > g.Corrupt+g.Truncated+g.Duplicated+g.Reordered+g.Crossed+g.Foreign {
		t.Errorf("%d mismatched, classes %+v", wrong, g)
	}
	if late := d.Load.TimedOut + d.Warmup.TimedOut; g.Late > late {
		t.Errorf("%d late of %d timed out", g.Late, late)
	}
	return r
}

// Planned are counts of the requests of a time, without the replies that arrived in it: some come just after it.
func Planned(c engine.Counts) engine.Counts {
	c.Arrived = 0
	return c
}

// Descriptors is how many this process has.
func Descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// erratic is a trial against a server that does anything, in the order of the seed, and when to stop it.
func erratic(t *testing.T, seed uint64) (engine.Config, time.Duration) {
	random := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- the same seed must give the same trial
	size := []int{32, 64, 300, 100_000}[random.IntN(4)]
	pipeline := 1 + random.IntN(5)
	stop := time.Duration(200+random.IntN(3000)) * time.Millisecond
	deeds := []Deed{Echo, Echo, Echo, Echo, Echo, Echo, Trickle, Corrupt, Truncate, Duplicate, Freeze, Ignore, CloseIt, ResetIt, HalfThenReset}
	var mu sync.Mutex // from here on random belongs to the server
	cfg := Plain(Serve(t, size, func(_, record int) Deed {
		if record == 0 && seed%2 == 0 {
			return Echo
		}
		mu.Lock()
		defer mu.Unlock()
		return deeds[random.IntN(len(deeds))]
	}))
	cfg.PayloadBytes, cfg.Pipeline, cfg.ArmTimeout = size, pipeline, 500*time.Millisecond
	cfg.Timeout = time.Second
	cfg.Workload = []string{engine.Open, engine.Churn, engine.Closed}[seed%3]
	return cfg, stop
}

// Conserve tries an engine: whatever a server does, in any order, to any workload, and whenever it is stopped, every request is
// settled once. Then `left` looks for what the engine still holds of it.
func Conserve[E engine.Engine](t *testing.T, start func(*testing.T, engine.Config) E, left func(*testing.T, E)) {
	t.Helper()
	t.Parallel()
	for seed := range uint64(18) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			cfg, stop := erratic(t, seed)
			e := start(t, cfg)
			if _, err := e.Arm(cfg.Connections, cfg.ArmEnd()); err != nil {
				t.Fatal(err)
			}
			defer time.AfterFunc(stop, e.Stop).Stop()
			d := Load(t, e).Done
			t.Logf("%s of %d bytes, stop after %v: %+v, surplus %d, %+v", cfg.Workload, cfg.PayloadBytes, stop, d.Load, d.Surplus, d.Integrity)
			left(t, e)
		})
	}
}
