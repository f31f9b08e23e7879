package agent

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
)

// The events that only an agent has, in the order of their fields in docs/contracts.md; the others are in package report. Times are CLOCK_MONOTONIC ns of this host.

type hello struct {
	Event       string `json:"event"`
	Version     int    `json:"version"`
	Host        string `json:"host"`
	PID         int    `json:"pid"`
	Role        string `json:"role"`
	T           int64  `json:"t"`
	Descriptors uint64 `json:"descriptors"`
}

type clock struct {
	Event string `json:"event"`
	N     int64  `json:"n"`
	T     int64  `json:"t"`
}

type failure struct {
	Event string `json:"event"`
	*errs.Error
}

type lost struct {
	Event string `json:"event"`
	Lines int64  `json:"lines"`
}

type proved struct {
	Event string `json:"event"`
	engine.Proved
}
