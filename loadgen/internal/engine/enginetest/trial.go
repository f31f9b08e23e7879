package enginetest

import (
	"flag"
	"net/netip"
	"os"
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
	seen := map[int]bool{}
	for _, i := range r.Intervals {
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
	d := &r.Done
	if warmup != d.Warmup || window != d.Load {
		t.Errorf("intervals give %+v and %+v, totals %+v and %+v", warmup, window, d.Warmup, d.Load)
	}
	if d.Lag.Count() != d.Load.Sent || d.Service.Count() != d.Load.Answered || len(d.SendGaps) > engine.MostSendGaps {
		t.Errorf("%d lags of %d sent, %d service times of %d answered, %d gaps", d.Lag.Count(), d.Load.Sent, d.Service.Count(), d.Load.Answered,
			len(d.SendGaps))
	}
	g := d.Integrity
	if wrong := d.Load.Mismatched + d.Warmup.Mismatched; wrong > g.Corrupt+g.Duplicated+g.Reordered+g.Crossed+g.Foreign {
		t.Errorf("%d mismatched, classes %+v", wrong, g)
	}
	if late := d.Load.TimedOut + d.Warmup.TimedOut; g.Late > late {
		t.Errorf("%d late of %d timed out", g.Late, late)
	}
	return r
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
