package engine

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

// The sample is even: every gap of a power of two, however many there were.
func TestGapsAreAnEvenSample(t *testing.T) {
	for _, sends := range []int{0, 1, 2, MostSendGaps + 1, MostSendGaps + 2, 100_000} {
		g := newGaps()
		now, want := int64(1000), []int64{}
		for i := range sends {
			g.sent(now)
			now += int64(i) // so gap i is i
		}
		for i := int64(0); i < int64(sends)-1; i += g.stride {
			want = append(want, i)
		}
		if !slices.Equal(g.kept, want) || (sends > MostSendGaps && len(g.kept) <= MostSendGaps/2) || len(g.kept) > MostSendGaps {
			t.Errorf("%d sends: %d gaps, stride %d, want %d", sends, len(g.kept), g.stride, len(want))
		}
	}
	g := newGaps()
	if n := testing.AllocsPerRun(10_000, func() { g.sent(1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The loop's lateness and the gaps between its sends are of the load alone, the gaps of its window.
func TestSelfReport(t *testing.T) {
	t.Parallel()
	cfg := config(serve(t, 64, always(echo)))
	cfg.Warmup = 1
	l := start(t, cfg)
	arm(t, l)
	d := load(t, l).done
	sum := int64(0)
	for _, gap := range d.SendGaps {
		sum += gap
	}
	if len(d.SendGaps) != 499 || sum < int64(500*time.Millisecond) || sum > int64(1800*time.Millisecond) {
		t.Errorf("%d gaps, in all %v", len(d.SendGaps), time.Duration(sum))
	}
	if n := d.LoopLag.Count(); n < 100 || d.LoopLag.Max() < d.LoopLag.Quantile(0.5) || d.LoopLag.Max() > int64(d.MaxLoopGap)*101/100+1000 {
		t.Errorf("%d turns, up to %v, longest gap %v", n, time.Duration(d.LoopLag.Max()), d.MaxLoopGap)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// After Close nothing is left open and nothing runs, whatever was going on.
func TestNothingIsLeft(t *testing.T) {
	for _, workload := range Workloads {
		for _, stopped := range []bool{true, false} {
			if !stopped && workload != Churn {
				continue
			}
			goroutines, open := runtime.NumGoroutine(), descriptors(t)
			t.Run(workload, func(t *testing.T) {
				cfg := config(serve(t, 64, afterFirst(echo)))
				if workload == Calibrate {
					cfg.Targets[0] = serveRaw(t, (*rawConn).swallow)
				}
				cfg.Workload, cfg.Timeout, cfg.Requests = workload, 100*time.Millisecond, -1
				l := start(t, cfg)
				arm(t, l)
				if stopped {
					time.AfterFunc(700*time.Millisecond, l.Stop)
				}
				load(t, l)
			})
			// The server's ends of the connections go when it has seen the last of them.
			deadline := time.Now().Add(5 * time.Second)
			for runtime.NumGoroutine() > goroutines || descriptors(t) > open {
				if time.Now().After(deadline) {
					t.Fatalf("%s: %d goroutines of %d and %d descriptors of %d are left", workload, runtime.NumGoroutine(), goroutines, descriptors(t), open)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}
