package engine

import (
	"fmt"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// Run implements Engine.
func (l *Loop) Run(at int64, emit func(Interval)) (Done, error) {
	l.begin()
	if at < l.now {
		return Done{}, errs.New(errs.Start, "late",
			fmt.Sprintf("The start was ordered for %.3f ms before now.", float64(l.now-at)/1e6),
			"Give a later time, or look for what delays the orders.")
	}
	work := l.prepare(at, emit)
	for l.clock.Now() < at && !l.stopped.Load() {
		l.poll(at)
	}
	l.maxGap = 0 // the wait for the start is nobody's lateness
	l.loopLag.Reset()
	work.run(l)
	return l.done(), nil
}

// A work is what a workload does from the start on.
type work interface{ run(l *Loop) }

// prepare takes the memory that a workload needs, so that it does not cost time after the start.
func (l *Loop) prepare(at int64, emit func(Interval)) work {
	switch l.cfg.Workload {
	case Closed:
		return newCycle(l, at, emit)
	case Churn:
		return newChurn(l, at, emit)
	case Calibrate:
		return newCalibration(l, at, emit)
	}
	return newArrivals(l, at, emit)
}

// An arrivals plans the requests of an open loop: their times come from the pacer alone, whatever the server does.
type arrivals struct {
	l     *Loop
	pacer pacing.Pacer
	at    int64 // ns, start
	end   int64 // ns
	turn  int   // the connection of the next request
}

func newArrivals(l *Loop, at int64, emit func(Interval)) *arrivals {
	intervals := l.cfg.Warmup + l.cfg.Duration
	l.ledger = newLedger(at, l.cfg.Warmup, intervals, l.spread(), emit)
	return &arrivals{l: l, pacer: l.pacer, at: at, end: at + int64(intervals)*second}
}

// run offers requests at their intended times, then waits until the last is settled.
func (a *arrivals) run(l *Loop) {
	a.schedule()
	l.offer(a.end, a.pump)
	l.ledger.finish()
	l.abandon(l.clock.Now())
}

// offer plans with pump what is due, until end has passed and all is settled.
func (l *Loop) offer(end int64, pump func()) {
	l.pump = pump
	for !l.stopped.Load() {
		pump()
		now := l.clock.Now()
		l.expire(now)
		l.ledger.advance(min(now, l.due)) // all before that is planned
		if now >= end && l.due == pacing.Never && l.slab.oldest == nothing {
			return
		}
		until := min(l.due, l.oldestExpires())
		if now < end {
			until = min(until, l.ledger.boundary())
		}
		l.poll(until)
	}
}

// schedule asks the pacer for the next time.
func (a *arrivals) schedule() {
	a.l.due = pacing.Never
	if next := a.pacer.Next(); a.l.cfg.Active > 0 && next < a.end-a.at {
		a.l.due = a.at + next
	}
}

// pump plans what is due, but not so much that replies would have to wait for long.
func (a *arrivals) pump() {
	for range workPerTurn {
		if a.l.due > a.l.clock.Now() {
			return
		}
		intended := a.l.due
		a.schedule()
		a.plan(intended)
	}
}

// plan gives one request to the active connection whose turn it is; a busy one keeps it until it can be sent.
func (a *arrivals) plan(intended int64) {
	l := a.l
	i := int32(a.turn)
	if a.turn++; a.turn == l.cfg.Active {
		a.turn = 0
	}
	slot := l.ledger.plan(intended)
	if l.connections[i].state != established {
		l.ledger.settle(slot, failed)
		return
	}
	if !l.submit(i, wire.Load, intended, slot) {
		l.ledger.settle(slot, dropped)
	}
}
