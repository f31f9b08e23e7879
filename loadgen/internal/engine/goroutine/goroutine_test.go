package goroutine

import (
	"net/netip"
	"testing"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
	"c10k/loadgen/internal/wire"
)

func TestMain(m *testing.M) { Main(m) }

func start(t *testing.T, cfg Config) *Routines {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// A reply that is read before anybody has looked for timeouts is late all the same, never a latency beyond the timeout.
func TestReplyAtTheTimeout(t *testing.T) {
	for early, want := range []Counts{{Planned: 1, Sent: 1, TimedOut: 1}, {Planned: 1, Sent: 1, Answered: 1}} {
		cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
		e := start(t, cfg)
		e.phase = newArrivals(e)
		ledger := NewLedger(&cfg, 0, func(Interval) {})
		e.accounts.Ledger = ledger
		r := &request{connection: &connection{e: e}, flags: wire.Load, slot: ledger.Plan(0)}
		e.unsettled++
		r.connection.put(r)
		e.conclude(r, Integrity{}, int64(cfg.Timeout)-int64(early))
		if ledger.Finish(); ledger.Window != want || e.accounts.Integrity != (Integrity{Late: want.TimedOut}) {
			t.Errorf("%+v, %+v", ledger.Window, e.accounts.Integrity)
		}
	}
}

func TestConservation(t *testing.T) {
	Conserve(t, start, func(t *testing.T, e *Routines) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.unsettled != 0 || len(e.timeline) != 0 {
			t.Errorf("%d are left unsettled, %d in the timeline", e.unsettled, len(e.timeline))
		}
	})
}
