package engine

import (
	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/errs"
)

// The workloads. Ramp and Capacity offer their load as Open does; Calibrate finds out how fast this generator can send.
const (
	Open      = "open"
	Closed    = "closed"
	Churn     = "churn"
	Ramp      = "ramp"
	Capacity  = "capacity"
	Calibrate = "calibrate"
)

// Traits are those of the workload.
func (c *Config) Traits() contracts.Workload { return contracts.Workloads()[c.Workload] }

// Unknown is the refusal of a workload that an engine does not know.
func Unknown(workload, kind string) error {
	return errs.New(errs.Spec, "workload", "The engine "+kind+" has no workload "+workload+".",
		"Choose another generator for it, or another workload.")
}
