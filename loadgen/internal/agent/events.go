package agent

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
)

// The events, in the order of their fields in docs/contracts.md. Times are CLOCK_MONOTONIC ns of this host.

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
	Event   string `json:"event"`
	Phase   string `json:"phase"`
	Cause   string `json:"cause"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

func failureOf(e *errs.Error) failure {
	return failure{"error", e.Phase.String(), e.Cause, e.Message, e.Remedy}
}

type lost struct {
	Event string `json:"event"`
	Lines int64  `json:"lines"`
}

type armed struct {
	Event     string           `json:"event"`
	Connected int              `json:"connected"`
	Verified  int              `json:"verified"`
	Failed    map[string]int64 `json:"failed"`
}

type proved struct {
	Event    string `json:"event"`
	Verified int    `json:"verified"`
	Failed   int    `json:"failed"`
}

type interval struct {
	Event string `json:"event"`
	K     int    `json:"k"`
	Phase string `json:"phase"`
	engine.Counts
	Response string `json:"response"`
}

type done struct {
	Event       string           `json:"event"`
	FirstSend   *int64           `json:"first_send_ns"` // null: nothing was sent
	LastSend    *int64           `json:"last_send_ns"`
	Connections connections      `json:"connections"`
	Surplus     int64            `json:"surplus"`
	Totals      totals           `json:"totals"`
	Service     string           `json:"service"`
	Lag         string           `json:"lag"`
	Connect     string           `json:"connect"`
	Over60s     map[string]int64 `json:"over_60s"` // recorded as 60 s, by kind
	Errors      []errs.Row       `json:"errors"`
	Self        usage            `json:"self"`
}

type connections struct {
	Armed int `json:"armed"`
	Open  int `json:"open"`
	Lost  int `json:"lost"`
}

type totals struct {
	Warmup engine.Counts `json:"warmup"`
	Load   engine.Counts `json:"load"`
}

// usage is what the agent used from `go` to `done`; the resident size is the largest of its life.
type usage struct {
	User       int64 `json:"cpu_user_ns"`
	System     int64 `json:"cpu_system_ns"`
	MaxRSS     int64 `json:"max_rss_bytes"`
	MaxLoopGap int64 `json:"max_loop_gap_ns"`
	GCPause    int64 `json:"gc_pause_ns"`
}
