package engine

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestLedgerWaitsForTheLast(t *testing.T) {
	var seen []int
	g := NewLedger(&Config{Warmup: 1, Duration: 2}, 1000, func(i Interval) { seen = append(seen, i.K); i.Recycle() })
	slow := g.Plan(1000)
	g.Plan(1000 + second/2)
	g.Settle(slow, Answered) // the other one is still out
	next := g.Plan(1000 + 2*second)
	if g.Settle(next, Failed); len(seen) != 1 || seen[0] != 1 {
		t.Fatalf("written %v, want the empty interval 1 only", seen)
	}
	g.Advance(1000 + 10*second)
	g.Settle(slow, TimedOut)
	if len(seen) != 3 || g.Before != (Counts{Planned: 2, Answered: 1, TimedOut: 1}) || g.Window != (Counts{Planned: 1, Failed: 1}) {
		t.Errorf("written %v, %+v, %+v", seen, g.Before, g.Window)
	}
}

func TestClockIsTheKernels(t *testing.T) {
	var before, after unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
	now := Monotonic()
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &after)
	if now < before.Nano() || now > after.Nano() {
		t.Errorf("%d is not between %d and %d", now, before.Nano(), after.Nano())
	}
}
