package engines

import (
	"net/netip"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

// coming is a load of `planned` newcomers, of which so many can be under way at once.
func coming(target netip.AddrPort, places int) Config {
	cfg := Plain(target)
	cfg.Workload, cfg.Connections, cfg.Active, cfg.Timeout = Newcomers, places, places, 2*time.Second
	return cfg
}

// Newcomers come when they are due, whatever became of those before them; where all places are taken they are dropped.
func TestNewcomers(t *testing.T) {
	t.Parallel()
	const n = planned
	for name, c := range map[string]struct {
		places int
		deedCase
	}{
		"echo":      {n, deedCase{Echo, Counts{Planned: n, Sent: n, Answered: n}, Integrity{}, 0, ""}},
		"corrupt":   {n, deedCase{Corrupt, mismatched(n), Integrity{Corrupt: n}, 0, ""}},
		"ignore":    {n, deedCase{Ignore, Counts{Planned: n, Sent: n, TimedOut: n}, Integrity{}, 0, "read/timeout 500"}},
		"no places": {4, deedCase{Ignore, Counts{Planned: n, Sent: 4, TimedOut: 4, Dropped: n - 4, UnsentWaiting: n - 4}, Integrity{}, 0, "read/timeout 4"}},
		"close":     {n, deedCase{CloseIt, Counts{Planned: n, Sent: n, Failed: n}, Integrity{}, 0, "read/peer-closed 500"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, a := armed(t, coming(Serve(t, 64, afterFirstConnection(c.deed)), c.places), Epoll)
			if a.Verified != 1 || a.Connected != 1 {
				t.Fatalf("armed %+v", a)
			}
			d := Load(t, e).Done
			if name == "no places" { // those due while a place was free are late, as where this machine froze us
				d.Load.UnsentWaiting, d.Load.UnsentLate = d.Load.UnsentWaiting+d.Load.UnsentLate, 0
			}
			c.check(t, &d)
			if d.Lost != 0 || d.Open != 0 || d.Connect.Count() != d.Load.Sent {
				t.Errorf("%+v, %d connects", d, d.Connect.Count())
			}
		})
	}
}

// A refusal keeps nobody from coming, and no place is lost by it.
func TestNewcomersAreRefused(t *testing.T) {
	t.Parallel()
	e, _ := armed(t, coming(netip.MustParseAddrPort("127.0.0.1:1"), 4), Epoll)
	if d := Load(t, e).Done; Planned(d.Load) != (Counts{Planned: planned, Failed: planned, UnsentWaiting: planned}) {
		t.Errorf("%+v", d)
	}
}
