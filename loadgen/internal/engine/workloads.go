package engine

import "c10k/loadgen/internal/errs"

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

// Traits say what arming must know of a workload. All else is the workload's own.
type Traits struct {
	ConnectsAhead bool // its connections stand before the load; else each request has one of its own, and arming tries one
	Verifies      bool // each connection answers one echo before the load; else it need only connect
}

var traits = map[string]Traits{
	Open:      {ConnectsAhead: true, Verifies: true},
	Closed:    {ConnectsAhead: true, Verifies: true},
	Churn:     {ConnectsAhead: false, Verifies: true},
	Ramp:      {ConnectsAhead: true, Verifies: true},
	Capacity:  {ConnectsAhead: true, Verifies: true},
	Calibrate: {ConnectsAhead: true, Verifies: false},
}

// Traits are those of the workload.
func (c *Config) Traits() Traits { return traits[c.Workload] }

// Unknown is the refusal of a workload that an engine does not know.
func Unknown(workload, kind string) error {
	return errs.New(errs.Spec, "workload", "The engine "+kind+" has no workload "+workload+".",
		"Choose another generator for it, or another workload.")
}
