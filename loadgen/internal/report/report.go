// Package report holds what a generator says of its work, in the form that the line protocol and `loadgen run --json` share
// (docs/contracts.md, "Line protocol"). Times are CLOCK_MONOTONIC ns of this host.
package report

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/selfreport"
)

// Armed says how the connecting went.
type Armed struct {
	Event string `json:"event"`
	engine.Armed
	SYNRetries map[string]int64 `json:"syn_retries"`
}

// Interval is one settled second.
type Interval struct {
	Event string `json:"event"`
	K     int    `json:"k"`
	Phase string `json:"phase"`
	engine.Counts
	Lag      int64           `json:"lag_sum_ns"`
	Response *hist.Histogram `json:"response"`
}

// Done is what a load amounts to.
type Done struct {
	Event     string `json:"event"`
	FirstSend *int64 `json:"first_send_ns"` // null: nothing was sent
	LastSend  *int64 `json:"last_send_ns"`
	LastReply *int64 `json:"last_reply_ns"` // null: none arrived
	engine.Done
	Over60s map[string]int64 `json:"over_60s"` // recorded as 60 s, by kind
	Hostile *Hostile         `json:"hostile"`
	Self    Self             `json:"self"`
}

// Hostile is what the hostile clients met.
type Hostile struct {
	Kind        string `json:"kind"`
	Connections int    `json:"connections"`
	Opened      int64  `json:"opened"`
	Refused     int64  `json:"refused"`
	Reset       int64  `json:"reset"` // by the server
	BytesOut    int64  `json:"bytes_out"`
	BytesIn     int64  `json:"bytes_in"`
	Whole       int64  `json:"whole"` // rounds whose echoes came back whole
	Wrong       int64  `json:"wrong"`
}

// Self is what the generator used and met from `go` to `done`; the resident size is the largest of its life.
type Self struct {
	Processes int   `json:"processes"`
	Wall      int64 `json:"wall_ns"`
	selfreport.Usage
	MaxLoopGap int64 `json:"max_loop_gap_ns"`
	selfreport.Met
	Sent     float64 `json:"sent_per_s"`     // within the window, whenever they were due
	Answered float64 `json:"answered_per_s"` // by arrival
	SendGaps []int64 `json:"send_gaps_ns"`
}

// OfArmed says it for the line protocol.
func OfArmed(a engine.Armed) Armed {
	if a.Failed == nil {
		a.Failed = map[string]int64{}
	}
	return Armed{"armed", a, map[string]int64{"1": a.SYNRetries[0], "2": a.SYNRetries[1], "3": a.SYNRetries[2]}}
}

// OfInterval says it of an interval.
func OfInterval(i engine.Interval) Interval {
	phase := "load"
	if i.Warmup {
		phase = "warmup"
	}
	return Interval{"interval", i.K, phase, i.Counts, i.Lag, i.Response}
}

// OfDone says what an engine summed up over a window of so many seconds.
func OfDone(d engine.Done, window float64) Done {
	r := Done{Event: "done", Done: d, Over60s: map[string]int64{"service": d.Service.Over, "lag": d.Lag.Over, "connect": d.Connect.Over},
		Self: Self{MaxLoopGap: int64(d.MaxLoopGap), SendGaps: append([]int64{}, d.SendGaps...)}}
	if d.FirstSend != 0 {
		r.FirstSend, r.LastSend = &d.FirstSend, &d.LastSend
	}
	if d.LastReply != 0 {
		r.LastReply = &d.LastReply
	}
	if window > 0 {
		r.Self.Sent, r.Self.Answered = float64(d.Left)/window, float64(d.Load.Arrived)/window
	}
	return r
}
