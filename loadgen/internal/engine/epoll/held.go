package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// A held is the phase of a load on connections that stand, as far as it is the same for all: workloads embed it, and say
// what they do otherwise.
type held struct{ l *Loop }

func (h *held) pump() {}

func (h *held) stood(int32, *connection) {}

func (h *held) unreached(i int32, cause errs.Cause, errno unix.Errno) {
	h.l.lose(i, errs.Connect, cause, errno)
}

func (h *held) settled(engine.Outcome) {}

// replied keeps the connection, unless its peer knows what was not yet sent.
func (h *held) replied(i int32, _ *connection, _ uint8, _ engine.Outcome, early bool) {
	if early {
		h.l.lose(i, errs.Read, errs.Mismatched, 0)
	}
}

func (h *held) gaveUp(int32, *connection, engine.Outcome, bool) {}

func (h *held) lost(_ int32, was state, _ errs.Phase, _ errs.Cause, _ unix.Errno) {
	if was == established {
		h.l.accounts.Open--
	}
}

func (h *held) over(*engine.Done) {}
