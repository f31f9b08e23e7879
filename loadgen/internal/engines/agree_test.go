package engines

import (
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

func TestMain(m *testing.M) { Main(m) }

func start(t *testing.T, cfg Config, kind string) Engine {
	t.Helper()
	e, err := Make(cfg, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	if _, err := e.Arm(cfg.Connections); err != nil {
		t.Fatal(err)
	}
	return e
}

// bothTrials does the same trial with each engine at the same time, on servers of their own.
func bothTrials(t *testing.T, cfg Config, server func() netip.AddrPort) (epoll, routines *Trial) {
	t.Helper()
	other := cfg
	cfg.Targets, other.Targets = []netip.AddrPort{server()}, []netip.AddrPort{server()}
	r := start(t, other, Goroutine)
	var running sync.WaitGroup
	running.Go(func() { routines = Load(t, r) })
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	epoll = Load(t, start(t, cfg, Epoll))
	if running.Wait(); t.Failed() {
		t.FailNow()
	}
	return epoll, routines
}

// Whatever a server does to every record of the window, both engines give the same account of it.
func TestRoutinesAgreeWithTheLoop(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]Deed{"echo": Echo, "trickle": Trickle, "corrupt": Corrupt, "truncate": Truncate, "ignore": Ignore,
		"close": CloseIt, "reset": ResetIt, "half": HalfThenReset} {
		for _, arrival := range []string{"fixed", "poisson"} {
			if arrival == "poisson" && d != Echo {
				continue // the times are compared once
			}
			t.Run(name+" "+arrival, func(t *testing.T) {
				t.Parallel()
				cfg := Plain(netip.AddrPort{})
				cfg.Arrival = arrival
				if name == "echo" && arrival == "fixed" {
					cfg.Warmup = 1
				}
				if d == Ignore || d == Truncate {
					cfg.Timeout = 2 * time.Second
				}
				a, b := bothTrials(t, cfg, func() netip.AddrPort { return Serve(t, 64, AfterFirst(d)) })
				if len(a.Intervals) != cfg.Warmup+1 || len(b.Intervals) != cfg.Warmup+1 {
					t.Fatalf("%d and %d intervals", len(a.Intervals), len(b.Intervals))
				}
				for k := range a.Intervals {
					if x, y := a.Intervals[k], b.Intervals[k]; x.K != y.K || x.Counts != y.Counts {
						t.Errorf("interval %d %+v, interval %d %+v", x.K, x.Counts, y.K, y.Counts)
					}
				}
				if x, y := a.Done, b.Done; x.Surplus != y.Surplus || x.Integrity != y.Integrity || x.Armed != y.Armed || x.Lost != y.Lost || len(x.Errors) != len(y.Errors) {
					t.Errorf("%+v\n%+v", x, y)
				}
				for i := range a.Done.Errors {
					if x, y := a.Done.Errors[i], b.Done.Errors[i]; x.Phase != y.Phase || x.Cause != y.Cause || x.Count != y.Count {
						t.Errorf("%+v, %+v", x, y)
					}
				}
			})
		}
	}
}

func TestRoutinesAgreeOnChurn(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]Deed{"echo": Echo, "corrupt": Corrupt, "duplicate": Duplicate, "truncate": Truncate, "ignore": Ignore,
		"close": CloseIt, "reset": ResetIt, "half": HalfThenReset} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Churning(netip.AddrPort{})
			cfg.Connections = 100
			if d == Ignore || d == Truncate {
				cfg.Timeout = 2 * time.Second
			}
			a, b := bothTrials(t, cfg, func() netip.AddrPort {
				return Serve(t, 64, func(connection, _ int) Deed {
					if connection == 0 {
						return Echo
					}
					return d
				})
			})
			if x, y := a.Done, b.Done; x.Load != y.Load || y.Load.Planned != 300 || x.Surplus != y.Surplus || x.Integrity != y.Integrity || x.Connect.Count() != y.Connect.Count() || len(x.Errors) != len(y.Errors) {
				t.Errorf("%+v\n%+v", x, y)
			}
		})
	}
}

// A server that takes its time is measured alike, and never as faster than it was.
func TestRoutinesAgreeOnLatency(t *testing.T) {
	t.Parallel()
	const delay = 100 * time.Millisecond
	cfg := Plain(netip.AddrPort{})
	cfg.Rate = 100
	a, b := bothTrials(t, cfg, func() netip.AddrPort {
		return Answering(t, 64, func(record []byte) []byte { time.Sleep(delay); return record })
	})
	for _, r := range []*Trial{a, b} {
		if h := Quantile(t, r.Done.Service, 0); h < int64(delay)*99/100 || h > int64(2*delay) {
			t.Errorf("measured %v, the server takes %v", time.Duration(h), delay)
		}
	}
	if x, y := a.Intervals[0].Counts, b.Intervals[0].Counts; x != y || x.Answered != 100 {
		t.Errorf("%+v, %+v", x, y)
	}
}
