package engine

import (
	"slices"
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
	if g.Settle(next, Failed); len(seen) != 0 {
		t.Fatalf("written %v, though nobody has said that its second is over", seen)
	}
	if g.Look(1000+2*second, 1000+2*second); len(seen) != 1 || seen[0] != 1 {
		t.Fatalf("written %v, want the empty interval 1 only", seen)
	}
	g.Look(1000+10*second, 1000+10*second)
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

// Each reply counts in the second in which it was read, and its interval waits for the end of that second.
func TestLedgerCountsArrivals(t *testing.T) {
	var seen []Interval
	g := NewLedger(&Config{Warmup: 1, Duration: 1}, 0, func(i Interval) { seen = append(seen, i) })
	for _, at := range []int64{5, second / 2, second - 1, second, 2*second - 1, 2 * second, 9 * second} {
		g.Settle(g.Plan(0), Answered)
		g.Arrived(at)
	}
	if g.Look(second-1, second-1); len(seen) != 0 {
		t.Fatalf("written before its end: %+v", seen)
	}
	g.Look(second, 0) // one may still be planned in the first
	if g.Arrived(second - 1); len(seen) != 0 {
		t.Fatalf("written before all is planned: %+v", seen)
	}
	g.Look(9*second, 9*second)
	if len(seen) != 2 || g.Before.Arrived != 3 || g.Window.Arrived != 3 || g.Before.Answered != 7 {
		t.Errorf("%+v, %+v", g.Before, g.Window)
	}
}

// What was sent within the window counts for its rate, whenever it was due.
func TestLedgerCountsWhatLeftInTheWindow(t *testing.T) {
	cfg := Config{Warmup: 1, Duration: 1, Requests: -1}
	g := NewLedger(&cfg, 0, func(Interval) {})
	early, due := g.Plan(0), g.Plan(second)
	for _, at := range []int64{second - 1, second, 2*second - 1} {
		g.Sent(early, 0, at, at)
	}
	g.Sent(due, second, 2*second, 2*second)
	if g.Left != 2 {
		t.Errorf("%d left in the window, want the two of [1 s, 2 s)", g.Left)
	}
	cfg.Requests = 9
	g.Quota(&cfg)
	if g.Sent(due, second, 99*second, 99*second); g.Left != 3 {
		t.Errorf("%d left, want all of a quota", g.Left)
	}
}

// After the last request of a quota only a reply makes another interval.
func TestLedgerEndsWithTheLastReply(t *testing.T) {
	seen := map[int]Counts{}
	cfg := Config{Requests: 2}
	g := NewLedger(&cfg, 0, func(i Interval) { seen[i.K] = i.Counts })
	g.Quota(&cfg)
	first, last := g.Plan(10), g.Plan(20)
	g.EndHere()
	g.Look(2*second, 2*second)
	g.Settle(first, Answered)
	g.Arrived(3*second - 1)
	g.Look(9*second, 9*second)
	g.Settle(last, TimedOut)
	g.Finish()
	if len(seen) != 3 || seen[0] != (Counts{Planned: 2, Answered: 1, TimedOut: 1}) || seen[1] != (Counts{}) || seen[2] != (Counts{Arrived: 1}) {
		t.Errorf("%+v", seen)
	}
}

// What connects first is as late as it began to, and the gaps are between those times: a long handshake is the server's doing.
func TestLedgerOfWhatConnectsFirst(t *testing.T) {
	cfg := Config{Duration: 1, Requests: -1}
	var lag int64
	g := NewLedger(&cfg, 0, func(i Interval) { lag += i.Lag })
	first, second := g.Plan(1000), g.Plan(4000)
	g.Began(first, 3000)
	g.Began(second, 5000)
	g.Sent(second, 4000, 5000, 8_000_000)
	g.Sent(first, 1000, 3000, 9_000_000)
	g.Settle(first, Answered)
	g.Settle(second, Answered)
	g.Finish()
	if lag != 3000 {
		t.Errorf("the interval's lags sum up to %d ns", lag)
	}
	if lag := g.Lag.Quantile(1); lag < 2000 || lag > 2100 || !slices.Equal(g.gaps.kept, []int64{2000}) {
		t.Errorf("a lag of %d ns, gaps of %d ns", lag, g.gaps.kept)
	}
}
