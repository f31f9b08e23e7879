package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"

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

func (h *held) settled(r *request, o engine.Outcome) {
	w := &h.l.watch
	if o == engine.Answered && w.now < r.sent { // sent since the last wait, and answered already
		w.now = w.clock.Now()
	}
	h.l.accounts.Settle(r.slot, o, r.intended, r.sent, w.now)
}

// replied keeps the connection, unless its peer knows what was not yet sent.
func (h *held) replied(i int32, _ *connection, _ uint8, _ engine.Outcome, early bool) {
	if early {
		h.l.lose(i, errs.Read, errs.Mismatched, 0)
	}
}

func (h *held) gaveUp(int32, *connection, engine.Outcome, bool) {}

func (h *held) unasked(i int32, c *connection, b []byte) { h.l.count(i, c, b) }

func (h *held) lost(_ int32, was state, _ errs.Phase, _ errs.Cause, _ unix.Errno) {
	if was == established {
		h.l.accounts.Open--
	}
}

func (h *held) over(*engine.Done) {}

// offer pumps the phase whenever something is due, until end has passed and all is settled.
func (h *held) offer(end int64) {
	l := h.l
	for !l.stopped.Load() {
		l.phase.pump()
		now := l.watch.clock.Now()
		l.expire(now)
		l.accounts.Ledger.Advance(min(now, l.due)) // all before that is planned
		if now >= end && l.due == pacing.Never && l.requests.oldest == nothing {
			return
		}
		until := min(l.due, l.oldestExpires())
		if now < end {
			until = min(until, l.accounts.Ledger.Boundary())
		}
		l.poll(until)
	}
}
