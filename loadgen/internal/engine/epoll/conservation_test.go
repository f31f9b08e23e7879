package epoll

import (
	"fmt"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine/enginetest"
)

// Whatever a server does, in any order, to any workload, and whenever it is stopped, every request is settled once.
func TestConservation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(18) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			conserves(t, seed)
		})
	}
}

func conserves(t *testing.T, seed uint64) {
	cfg, stop := Erratic(t, seed)
	l := start(t, cfg)
	arm(t, l)
	defer time.AfterFunc(stop, l.Stop).Stop()
	r := load(t, l)
	t.Logf("%s of %d bytes, stop after %v: %+v, surplus %d", cfg.Workload, cfg.PayloadBytes, stop, r.Done.Load, r.Done.Surplus)
	t.Logf("%+v", r.Done.Integrity)
}
