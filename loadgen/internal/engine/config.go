package engine

import (
	"math"
	"net/netip"
	"time"

	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/pacing"
)

// The workloads. Ramp, Capacity and Limit offer their load as Open does; Calibrate finds out how fast this generator can send.
const (
	Open      = "open"
	Closed    = "closed"
	Churn     = "churn"
	Newcomers = "newcomers"
	Ramp      = "ramp"
	Capacity  = "capacity"
	Limit     = "limit"
	Calibrate = "calibrate"
)

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
	AtOnce          int // processes that arm or prove at once, of which this is the part of one; 0: one
}

// Traits are those of the workload.
func (c *Config) Traits() contracts.Workload { return contracts.Workloads()[c.Workload] }

// Pacer makes the law by which requests arrive.
func (c *Config) Pacer() (pacing.Pacer, error) {
	return pacing.New(c.Arrival, c.Rate, c.Phase, c.Seed, uint64(c.FirstConnection))
}

// Intervals is how many seconds a load lasts, and so how many intervals it has.
func (c *Config) Intervals() int { return c.Warmup + c.Duration }

// End is when a load that starts at a time offers no more requests, in ns.
func (c *Config) End(at int64) int64 { return at + int64(c.Intervals())*second }

// DialDue is when handshake i of a ramp that began at start may begin, in ns.
func (c *Config) DialDue(start int64, i int) int64 {
	if c.ConnectRate == 0 {
		return start
	}
	return start + int64(float64(i)/c.ConnectRate*float64(time.Second))
}

// Number is the number of connection i of this share among those of all shares, as records and errors name it.
func (c *Config) Number(i int) uint32 { return c.FirstConnection + uint32(i) }

// What keeps an engine from doing too much at a time.
const (
	WorkPerTurn     = 64      // connections opened, or requests planned, before the engine looks for replies
	ConnectsAtOnce  = 1024    // connections under way while arming, of all processes
	ProvesAtOnce    = 128     // echoes in flight while proving, of all: thousands of threads woken at once would wait for one another
	leastAtOnce     = 8       // of each process, however many there are
	MaxRequests     = 2 << 20 // unsettled at once; requestBytes each, of which only those in use take memory
	requestsToSpare = 1024
)

// UnderWay is the part of this process in what may be under way at once.
func (c *Config) UnderWay(most int) int { return max(leastAtOnce, most/max(1, c.AtOnce)) }

// ArmEnd is when an Arm or Prove that is called now has to be over.
func (c *Config) ArmEnd() int64 { return Monotonic() + int64(c.ArmTimeout) }

const (
	requestBytes  = 64   // what an engine keeps of a request
	routinesBytes = 8192 // what the two goroutines of a connection take
)

// Bytes is how much memory an engine of a kind takes at most for its requests, its buffers and its goroutines.
func (c *Config) Bytes(kind string) int64 {
	requests, buffers := int64(c.MostRequests())*requestBytes, 2*int64(c.PayloadBytes) // one to send, one to compare
	if kind == Goroutine {
		return requests + int64(c.Connections)*(buffers+routinesBytes)
	}
	return requests + buffers
}

// MostRequests bounds the requests that are unsettled at once: what is offered within one timeout to a server that answers
// nothing, what may be on the wire besides, and one for each connection while arming.
func (c *Config) MostRequests() int {
	offered := math.Min(c.Rate*c.Timeout.Seconds()*1.1, MaxRequests)
	onWire := math.Min(float64(c.Active)*float64(c.Pipeline), MaxRequests)
	return max(min(int(offered+onWire)+requestsToSpare, MaxRequests), c.Connections+requestsToSpare)
}
