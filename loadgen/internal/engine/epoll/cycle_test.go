package epoll

import (
	"slices"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"

	"golang.org/x/sys/unix"
)

func closedConfig(t *testing.T, s Script) Config {
	cfg := Plain(Serve(t, 64, s))
	cfg.Workload, cfg.Rate = Closed, 0
	return cfg
}

func TestClosedAsksAgainAtOnce(t *testing.T) {
	t.Parallel()
	cfg := closedConfig(t, Always(Echo))
	cfg.Connections, cfg.Active, cfg.Pipeline, cfg.Warmup = 30, 20, 3, 1
	l := start(t, cfg)
	arm(t, l)
	begun := time.Now()
	r := load(t, l)
	if took := time.Since(begun); took < 2*time.Second || took > 3500*time.Millisecond || len(r.Intervals) != 2 {
		t.Errorf("%d intervals in %v", len(r.Intervals), took)
	}
	for _, c := range []Counts{r.Done.Warmup, r.Done.Load} {
		if c.Answered < 1000 || c.Answered != c.Planned || c.Sent != c.Planned {
			t.Errorf("%+v", c)
		}
	}
	for i, c := range l.connections {
		if asked := c.sequence > 1; asked != (i < 20) {
			t.Errorf("connection %d sent %d records", i, c.sequence)
		}
	}
}

func TestClosedThinks(t *testing.T) {
	t.Parallel()
	cfg := closedConfig(t, Always(Echo))
	cfg.ThinkTime, cfg.Duration = time.Second, 2
	l := start(t, cfg)
	arm(t, l)
	// A reply takes its time, so each asks twice at most.
	d := load(t, l).Done
	if d.Load.Planned > 40 || d.Load.Planned <= 20 || d.Load.Answered != d.Load.Planned {
		t.Errorf("%+v", d.Load)
	}
	// They do not all ask at once: 50 ms are meant to be between two of the first.
	if first := d.SendGaps[:19]; slices.Max(first) < int64(20*time.Millisecond) {
		t.Errorf("all at once: %v", first)
	}
}

// What is asked never exceeds the connections' pipelines: who gets no reply asks no more.
func TestClosedWaitsForReplies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deed Deed
		want Counts
		lost int
	}{
		"silence": {Ignore, Counts{Planned: 60, Sent: 60, TimedOut: 60}, 0},
		"end":     {CloseIt, Counts{Planned: 60, Sent: 60, Failed: 60}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := closedConfig(t, func(_, record int) Deed {
				if record == 3 { // by then all of a pipeline of 3 are sent
					return c.deed
				}
				if record == 0 {
					return Echo
				}
				return Ignore
			})
			cfg.Pipeline, cfg.Timeout = 3, 3*time.Second
			l := start(t, cfg)
			arm(t, l)
			if d := load(t, l).Done; d.Load != c.want || d.Lost != c.lost {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestClosedWithoutActive(t *testing.T) {
	t.Parallel()
	cfg := closedConfig(t, Always(Echo))
	cfg.Active = 0
	l := start(t, cfg)
	arm(t, l)
	if r := load(t, l); len(r.Intervals) != 1 || r.Done.Load != (Counts{}) {
		t.Errorf("%d intervals, %+v", len(r.Intervals), r.Done.Load)
	}
}

// A request that never left a full socket has no reply that another could follow: its time being out must do. Nothing
// reads here, so records pile up until the buffers are full.
func TestClosedGoesOnAfterAFullSocket(t *testing.T) {
	t.Parallel()
	server := ServeRaw(t, func(c *RawConn) { c.WaitForEnd() })
	cfg := Plain(server)
	cfg.Workload, cfg.Connections, cfg.Active, cfg.PayloadBytes, cfg.Pipeline, cfg.Timeout = Closed, 1, 1, 1<<20, 16, 200*time.Millisecond
	l := start(t, cfg)
	c := connectOnly(t, l)
	d := load(t, l).Done
	if d.Load.Planned <= 16 || d.Load.TimedOut != d.Load.Planned || d.Load.Sent >= 16 || !c.stuck {
		t.Errorf("%+v, stuck %v", d.Load, c.stuck)
	}
}

// A pair gives the loop's first connection an end that the test holds.
func pair(t testing.TB, l *Loop) int32 {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(ends[1]) })
	c := &l.connections[0]
	c.fd, c.state = int32(ends[0]), established
	return int32(ends[1])
}

func TestClosedPathDoesNotAllocate(t *testing.T) {
	for name, think := range map[string]time.Duration{"at once": 0, "after a thought": time.Nanosecond} {
		cfg := closedConfig(t, Always(Ignore))
		cfg.Connections, cfg.Active, cfg.ThinkTime, cfg.Duration = 1, 1, think, 1000
		l := start(t, cfg)
		end := pair(t, l)
		y := newCycle(l, Monotonic(), func(i Interval) { i.Recycle() }).(*cycle)
		l.begin(y)
		y.schedule()
		buffer := make([]byte, 64)
		n := testing.AllocsPerRun(5000, func() {
			y.pump()
			if _, errno := readSome(end, buffer); errno != 0 {
				t.Fatal(errno)
			}
			if _, errno := writeSome(end, buffer); errno != 0 {
				t.Fatal(errno)
			}
			l.watch.now = Monotonic()
			l.receive(0, &l.connections[0], false)
			l.expire(l.watch.now)
			l.accounts.Ledger.Advance(l.watch.now)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a request", name, n)
		}
		l.abandon(l.watch.now) // one has begun
		l.accounts.Ledger.Finish()
		if counts := l.accounts.Ledger.Window; counts.Answered < 5000 {
			t.Errorf("%s: %+v", name, counts)
		}
	}
}
