// Package engine drives the sockets of one share of a load: it connects and verifies them, sends records when they are
// due, checks what comes back byte for byte, and keeps the accounts.
package engine

import (
	"net/netip"
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
)

// An Engine does the phases of a trial in the order of its methods. Every method but Stop must be called from one
// goroutine, which is locked to its thread.
type Engine interface {
	// Arm opens and verifies the connections up to the number total, those of earlier calls included, and returns when each
	// is settled or ArmTimeout has passed. What it says is of all calls together. The workload calibrate only connects.
	Arm(total int) (Armed, error)
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

// The workloads. Ramp and Capacity offer their load as Open does; Calibrate finds out how fast this generator can send.
const (
	Open      = "open"
	Closed    = "closed"
	Churn     = "churn"
	Ramp      = "ramp"
	Capacity  = "capacity"
	Calibrate = "calibrate"
)

// Workloads are the names of all.
var Workloads = []string{Open, Closed, Churn, Ramp, Capacity, Calibrate}

// The kinds of engines.
const (
	Epoll     = "epoll"
	Goroutine = "goroutine"
)

// Kinds are the names of all.
var Kinds = []string{Epoll, Goroutine}

// Make readies an engine of a kind for a share; it opens no connection yet.
func Make(cfg Config, kind string) (Engine, error) {
	switch kind {
	case Epoll:
		return New(cfg)
	case Goroutine:
		return NewRoutines(cfg)
	}
	return nil, errs.New(errs.Spec, "generator", "There is no engine "+kind+".", "Choose epoll or goroutine.")
}

// Config is one client's share of a trial, or one process's share of that. It is plain data, so that it can be sent.
type Config struct {
	Run             uint32 // the record's run field
	Targets         []netip.AddrPort
	Sources         []netip.Addr // empty: the kernel chooses
	Workload        string
	Connections     int
	FirstConnection uint32
	Active          int
	Arrival         string        // a law of package pacing
	Rate            float64       // requests/s
	Phase           float64       // of the first arrival of a fixed law, in gaps
	ThinkTime       time.Duration // of the workload closed
	Requests        int64         // of the workload churn; -1: it ends with Duration
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
	Connected  int // connections whose handshake was completed
	Verified   int // connections that answered their echo and are open
	Failed     map[string]int64
	Retries    int64    // attempts beyond the first of each connection
	SYNRetries [3]int64 // handshakes of 1 s or more, of 3 s, of 7 s: as long as so many lost SYNs take
}

// Proved says how many of the connections still open answered.
type Proved struct {
	Verified, Failed int
}

// Integrity says what was wrong with the replies that were not the expected record (docs/contracts.md).
type Integrity struct {
	Corrupt    int64 `json:"corrupt"`
	Truncated  int64 `json:"truncated"`
	Duplicated int64 `json:"duplicated"`
	Reordered  int64 `json:"reordered"`
	Crossed    int64 `json:"crossed"`
	Foreign    int64 `json:"foreign"`
	Late       int64 `json:"late"`
}

// Plus is the sum of both.
func (a Integrity) Plus(b Integrity) Integrity {
	return Integrity{a.Corrupt + b.Corrupt, a.Truncated + b.Truncated, a.Duplicated + b.Duplicated, a.Reordered + b.Reordered,
		a.Crossed + b.Crossed, a.Foreign + b.Foreign, a.Late + b.Late}
}

// Wrong is how many were not what a server may answer; a late reply is right, only late.
func (a Integrity) Wrong() int64 {
	return a.Corrupt + a.Truncated + a.Duplicated + a.Reordered + a.Crossed + a.Foreign
}

// Ceiling is what a calibration found.
type Ceiling struct {
	Sends int64 `json:"sends"`
	Wall  int64 `json:"wall_ns"`
	CPU   int64 `json:"cpu_ns"` // of the engine's thread
}

// MostSendGaps bounds the sample of times between sends.
const MostSendGaps = 2048

// Done is what a trial's load amounts to.
type Done struct {
	FirstSend, LastSend   int64 // ns; 0: nothing was sent
	Armed, Open, Lost     int   // connections
	Surplus               int64 // bytes that no request asked for
	Warmup, Load          Counts
	Service, Lag, Connect *hist.Histogram
	LoopLag               *hist.Histogram // how late the loop woke or came round, once a turn
	Integrity             Integrity
	SendGaps              []int64 // ns between consecutive sends of the window, a sample spread over it
	Ceiling               *Ceiling
	Errors                []errs.Row
	MaxLoopGap            time.Duration // the longest the loop did not look, though it should have
}
