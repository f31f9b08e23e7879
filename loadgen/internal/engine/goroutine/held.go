package goroutine

import "c10k/loadgen/internal/engine"

// A held is the phase of a load, as far as it is the same for all: workloads embed it, and say what they do otherwise.
type held struct{ e *Routines }

func (h held) settled(r *request, o engine.Outcome, now int64) {
	h.e.accounts.Settle(r.slot, o, r.intended, r.sent, now)
}

func (h held) replied(*connection, uint8) {}

func (h held) gaveUp(*connection) {}

func (h held) over(*engine.Done) {}
