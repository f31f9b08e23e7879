// Package engine drives the sockets of one share of a load: it connects and verifies them, sends records when they are
// due, checks what comes back byte for byte, and keeps the accounts.
package engine

import (
	"net/netip"
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
)

// An Engine does the phases of a trial in the order of its methods. Every method but Stop must be called from one
// goroutine, which is locked to its thread.
type Engine interface {
	// Arm opens and verifies the connections, and returns when each is settled or ArmTimeout has passed.
	Arm() (Armed, error)
	// Prove verifies one echo on each connection that is still open.
	Prove() Proved
	// Run offers the load from at, a time of Clock, and returns when every request is settled. It hands each interval to
	// emit, on its own thread, as soon as the last of its requests is settled.
	Run(at int64, emit func(Interval)) (Done, error)
	// Stop makes the method that is running settle what it has and return, and any later one return at once.
	Stop()
	// Close closes every connection.
	Close()
}

// The workloads.
const (
	Open  = "open"
	Churn = "churn"
)

// Config is one client's share of a trial.
type Config struct {
	Run             uint32 // the record's run field
	Targets         []netip.AddrPort
	Sources         []netip.Addr // empty: the kernel chooses
	Workload        string
	Connections     int
	FirstConnection uint32
	Active          int
	Pacer           pacing.Pacer // of the workload open
	Rate            float64      // requests/s, to size the queue
	Requests        int64        // of the workload churn; -1: it ends with Duration
	Pipeline        int
	PayloadBytes    int
	ConnectRate     float64 // connections/s; 0: a burst
	Warmup          int     // s
	Duration        int     // s
	Timeout         time.Duration
	ArmTimeout      time.Duration
	Seed            uint64
}

// Armed says how the connecting went.
type Armed struct {
	Connected int // handshakes that were completed
	Verified  int // connections that answered their echo and are open
	Failed    map[string]int64
}

// Proved says how many of the connections still open answered.
type Proved struct {
	Verified, Failed int
}

// Done is what a trial's load amounts to.
type Done struct {
	FirstSend, LastSend   int64 // ns; 0: nothing was sent
	Armed, Open, Lost     int   // connections
	Surplus               int64 // bytes that no request asked for
	Warmup, Load          Counts
	Service, Lag, Connect *hist.Histogram
	Errors                []errs.Row
	MaxLoopGap            time.Duration // the longest the loop did not look, though it should have
}
