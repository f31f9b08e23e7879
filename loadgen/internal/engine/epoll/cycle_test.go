package epoll

import (
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

// A request that never left a full socket has no reply that another could follow: its time being out must do. Nothing
// reads here, so records pile up until the buffers are full.
func TestClosedGoesOnAfterAFullSocket(t *testing.T) {
	t.Parallel()
	server := Listen(t, Hold(t))
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
		l.ready(Monotonic(), func(i Interval) { i.Recycle() })
		buffer := make([]byte, 64)
		n := testing.AllocsPerRun(5000, func() {
			l.phase.pump()
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
