// Package report holds what a generator says of its work, in the form that the line protocol and `loadgen run --json` share
// (docs/contracts.md, "Line protocol"). Times are CLOCK_MONOTONIC ns of this host.
package report

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
)

// Armed says how the connecting went.
type Armed struct {
	Event      string           `json:"event"`
	Connected  int              `json:"connected"`
	Verified   int              `json:"verified"`
	Failed     map[string]int64 `json:"failed"`
	Retries    int64            `json:"retries"`
	SYNRetries map[string]int64 `json:"syn_retries"`
}

// Interval is one settled second; Response is a base64 HDR V2 histogram.
type Interval struct {
	Event string `json:"event"`
	K     int    `json:"k"`
	Phase string `json:"phase"`
	engine.Counts
	Response string `json:"response"`
}

// Done is what a load amounts to.
type Done struct {
	Event       string           `json:"event"`
	FirstSend   *int64           `json:"first_send_ns"` // null: nothing was sent
	LastSend    *int64           `json:"last_send_ns"`
	Connections Connections      `json:"connections"`
	Surplus     int64            `json:"surplus"`
	Totals      Totals           `json:"totals"`
	Service     string           `json:"service"`
	Lag         string           `json:"lag"`
	Connect     string           `json:"connect"`
	LoopLag     string           `json:"loop_lag"`
	Over60s     map[string]int64 `json:"over_60s"` // recorded as 60 s, by kind
	Integrity   engine.Integrity `json:"integrity"`
	Errors      []errs.Row       `json:"errors"`
	Hostile     *Hostile         `json:"hostile"`
	Ceiling     *engine.Ceiling  `json:"ceiling"`
	Self        Self             `json:"self"`
}

// Connections says how many were armed, are still open, and were lost.
type Connections struct {
	Armed int `json:"armed"`
	Open  int `json:"open"`
	Lost  int `json:"lost"`
}

// Totals are the counts of the warm-up and of the window.
type Totals struct {
	Warmup engine.Counts `json:"warmup"`
	Load   engine.Counts `json:"load"`
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
	Processes  int              `json:"processes"`
	Wall       int64            `json:"wall_ns"`
	User       int64            `json:"cpu_user_ns"`
	System     int64            `json:"cpu_system_ns"`
	MaxRSS     int64            `json:"max_rss_bytes"`
	MaxLoopGap int64            `json:"max_loop_gap_ns"`
	GCPause    int64            `json:"gc_pause_ns"`
	GCCycles   int64            `json:"gc_cycles"`
	Steal      int64            `json:"steal_ns"`               // of the CPUs it may use
	Throttled  *int64           `json:"throttled_ns,omitempty"` // by its cgroup's quota; absent where unknown
	Sent       float64          `json:"sent_per_s"`
	Answered   float64          `json:"answered_per_s"`
	SendGaps   []int64          `json:"send_gaps_ns"`
	Kernel     map[string]int64 `json:"kernel"`
}

// OfArmed says it for the line protocol.
func OfArmed(a engine.Armed) Armed {
	if a.Failed == nil {
		a.Failed = map[string]int64{}
	}
	return Armed{Event: "armed", Connected: a.Connected, Verified: a.Verified, Failed: a.Failed, Retries: a.Retries,
		SYNRetries: map[string]int64{"1": a.SYNRetries[0], "2": a.SYNRetries[1], "3": a.SYNRetries[2]}}
}

// OfInterval encodes an interval.
func OfInterval(i engine.Interval) (Interval, error) {
	text, err := i.Response.Encode()
	phase := "load"
	if i.Warmup {
		phase = "warmup"
	}
	return Interval{Event: "interval", K: i.K, Phase: phase, Counts: i.Counts, Response: text}, err
}

// OfDone encodes what an engine summed up over a window of so many seconds.
func OfDone(d *engine.Done, window float64) (Done, error) {
	r := Done{Event: "done", Connections: Connections{d.Armed, d.Open, d.Lost}, Surplus: d.Surplus, Totals: Totals{d.Warmup, d.Load},
		Integrity: d.Integrity, Errors: d.Errors, Ceiling: d.Ceiling,
		Over60s: map[string]int64{"service": d.Service.Over, "lag": d.Lag.Over, "connect": d.Connect.Over},
		Self:    Self{MaxLoopGap: int64(d.MaxLoopGap), SendGaps: d.SendGaps}}
	if r.Self.SendGaps == nil {
		r.Self.SendGaps = []int64{}
	}
	if r.Errors == nil {
		r.Errors = []errs.Row{}
	}
	if d.FirstSend != 0 {
		r.FirstSend, r.LastSend = &d.FirstSend, &d.LastSend
	}
	if window > 0 {
		r.Self.Sent, r.Self.Answered = float64(d.Load.Sent)/window, float64(d.Load.Answered)/window
	}
	for _, kind := range []struct {
		from *hist.Histogram
		to   *string
	}{{d.Service, &r.Service}, {d.Lag, &r.Lag}, {d.Connect, &r.Connect}, {d.LoopLag, &r.LoopLag}} {
		var err error
		if *kind.to, err = kind.from.Encode(); err != nil {
			return r, err
		}
	}
	return r, nil
}
