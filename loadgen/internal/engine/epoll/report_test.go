package epoll

import (
	"runtime"
	"testing"
	"time"

	"c10k/loadgen/internal/contracts"
	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

// The loop's lateness and the gaps between its sends are of the load alone, the gaps of its window.
func TestSelfReport(t *testing.T) {
	t.Parallel()
	cfg := Plain(Serve(t, 64, Always(Echo)))
	cfg.Warmup = 1
	l := start(t, cfg)
	arm(t, l)
	d := load(t, l).Done
	sum := int64(0)
	for _, gap := range d.SendGaps {
		sum += gap
	}
	if len(d.SendGaps) != 499 || sum < int64(500*time.Millisecond) || sum > int64(1800*time.Millisecond) {
		t.Errorf("%d gaps, in all %v", len(d.SendGaps), time.Duration(sum))
	}
	if n := d.LoopLag.Count(); n < 100 || d.LoopLag.Max() < Quantile(t, d.LoopLag, 0.5) || d.LoopLag.Max() > int64(d.MaxLoopGap)*101/100+1000 {
		t.Errorf("%d turns, up to %v, longest gap %v", n, time.Duration(d.LoopLag.Max()), d.MaxLoopGap)
	}
}

// After Close nothing is left open and nothing runs, whatever was going on.
func TestNothingIsLeft(t *testing.T) {
	for workload := range contracts.Workloads() {
		for _, stopped := range []bool{true, false} {
			if !stopped && workload != Churn {
				continue
			}
			goroutines, open := runtime.NumGoroutine(), Descriptors(t)
			t.Run(workload, func(t *testing.T) {
				cfg := Plain(Serve(t, 64, AfterFirst(Echo)))
				if workload == Calibrate {
					cfg.Targets[0] = ServeRaw(t, (*RawConn).Swallow)
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
			for runtime.NumGoroutine() > goroutines || Descriptors(t) > open {
				if time.Now().After(deadline) {
					t.Fatalf("%s: %d goroutines of %d and %d descriptors of %d are left", workload, runtime.NumGoroutine(), goroutines, Descriptors(t), open)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}
