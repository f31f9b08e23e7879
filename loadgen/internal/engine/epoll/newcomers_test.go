package epoll

import (
	"net/netip"
	"testing"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

// A newcomer that finds no place is the server's doing, unless this loop gave the last one away long after that newcomer was due.
func TestWhoseDoingItIsThatNoPlaceIsFree(t *testing.T) {
	cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Workload, cfg.Connections, cfg.Active = Newcomers, 1, 1
	l := start(t, cfg)
	l.ready(Monotonic(), func(Interval) {})
	m := l.phase.(*newcomers)
	m.free = nil
	m.taken = l.at + 10*behind
	for _, late := range []int64{0, behind, behind + 1, 9 * behind} {
		m.come(m.taken - late)
	}
	l.finish()
	if n := Planned(l.accounts.Ledger.Window); n != (Counts{Planned: 4, Dropped: 4, UnsentWaiting: 2, UnsentLate: 2}) {
		t.Errorf("%+v", n)
	}
}
