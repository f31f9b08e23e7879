// Package engine holds what both engines share: what is asked of them (Config), what they answer (Armed, Proved, Interval,
// Done), the traits of the workloads, and the accounts of a trial. An engine drives the sockets of one share of a load: it
// connects and verifies them, sends records when they are due, and checks what comes back byte for byte. Package epoll does
// so with one thread and the kernel, package goroutine with a goroutine for each connection.
package engine

import (
	"fmt"

	"c10k/loadgen/internal/errs"
)

// An Engine does the phases of a trial in the order of its methods. Every method but Stop must be called from one
// goroutine, which is locked to its thread.
type Engine interface {
	// Arm opens and verifies the connections up to the number total, those of earlier calls included, and returns when each
	// is settled or the time until has come. Its result counts all calls together. A workload that does not verify only connects.
	Arm(total int, until int64) (Armed, error)
	// Prove verifies one echo on each connection that is still open, until that time at the latest.
	Prove(until int64) Proved
	// Run offers the load from at, a time of Clock, and returns when every request is settled. It hands each interval to
	// emit, on its own thread, as soon as the last of its requests is settled.
	Run(at int64, emit func(Interval)) (Done, error)
	// Stop makes the method that is running settle what it has and return, and any later one return at once.
	Stop()
	// Close closes every connection.
	Close()
	// Progress is how many connections the latest of Arm, Prove and Close has done with. Any goroutine may ask.
	Progress() int64
}

// The kinds of engines.
const (
	Epoll     = "epoll"
	Goroutine = "goroutine"
)

// Kinds are the names of all.
var Kinds = []string{Epoll, Goroutine}

// InTime refuses a start that lies before now.
func InTime(at, now int64) error {
	if at >= now {
		return nil
	}
	return errs.New(errs.Start, "late",
		fmt.Sprintf("The start was ordered for %.3f ms before now.", float64(now-at)/1e6),
		"Give a later time, or look for what delays the orders.")
}

// Unknown is the refusal of a workload that an engine does not know.
func Unknown(workload, kind string) error {
	return errs.New(errs.Spec, "workload", "The engine "+kind+" has no workload "+workload+".",
		"Choose another generator for it, or another workload.")
}
