package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/report"
	"c10k/loadgen/internal/wire"
)

// The exit codes.
const (
	exitOK          = 0
	exitInternal    = 1
	exitRefused     = 2
	exitInvalid     = 3
	exitInterrupted = 130
)

// mostUnsent is the share of planned requests that the generator may leave unsent before the figures no longer stand.
const mostUnsent = 0.01

// silence is how many requests must have been due since its last reply to say that a server stopped answering.
const silence = 10

// An outcome is all that a run found: what --json prints, and what the report for people is made of.
type outcome struct {
	Version   int               `json:"version"`
	Config    *options          `json:"config"`
	Budget    *budget.Report    `json:"budget"`
	Armed     *armed            `json:"armed"`     // null: nothing was connected
	Steps     []step            `json:"steps"`     // of ramp
	Intervals []json.RawMessage `json:"intervals"` // as the line protocol has them; none without --json
	Done      *report.Done      `json:"done"`      // null: no load was offered
	Latency   *latencies        `json:"latency_ns"`
	Held      *int              `json:"held"` // null: not asked
	Verdict   string            `json:"verdict"`
	Reasons   []string          `json:"reasons"`
	Exit      int               `json:"exit"`

	response    *hist.Histogram // of the window
	seconds     []tick
	asked       int // connections that arming should have verified
	interrupted bool
	failure     error
}

// A tick is what one second of the load has: requests that were due in it and how many of these were answered, and right replies
// that came in it.
type tick struct{ planned, answered, arrived int64 }

// silent is from which second of the load on nothing was answered any more, and how many requests were due from then on.
func silent(seconds []tick) (since int, planned int64) {
	for since = len(seconds); since > 0 && seconds[since-1].answered+seconds[since-1].arrived == 0; since-- {
		planned += seconds[since-1].planned
	}
	return since, planned
}

type armed struct {
	report.Armed
	Seconds float64 `json:"arm_s"`
}

// A step of a ramp; its numbers are cumulative.
type step struct {
	Connections int     `json:"connections"`
	Connected   int     `json:"connected"`
	Verified    int     `json:"verified"`
	Seconds     float64 `json:"arm_s"`
}

// Latencies of the window, in ns.
type latencies struct {
	Response percentiles `json:"response"`
	Service  percentiles `json:"service"`
	Lag      percentiles `json:"lag"`
	Connect  percentiles `json:"connect"`
	LoopLag  percentiles `json:"loop_lag"`
}

// Percentiles in ns; null where there is none, or where it lies among what was never answered.
type percentiles struct {
	Count int64    `json:"count"`
	P50   *int64   `json:"p50"`
	P90   *int64   `json:"p90"`
	P95   *int64   `json:"p95"`
	P99   *int64   `json:"p99"`
	P999  *int64   `json:"p999"`
	Max   *int64   `json:"max"`
	Mean  *float64 `json:"mean"`
}

// percentilesOf reads them off h, over count: what h does not hold counts as slower than all that it does.
func percentilesOf(h *hist.Histogram, count int64) percentiles {
	p := percentiles{Count: count}
	have := h.Count()
	if have == 0 {
		return p
	}
	at := func(q float64) *int64 {
		rank := math.Ceil(q * float64(count))
		if rank > float64(have) {
			return nil
		}
		v := h.Quantile(rank / float64(have))
		return &v
	}
	p.P50, p.P90, p.P95, p.P99, p.P999 = at(0.5), at(0.9), at(0.95), at(0.99), at(0.999)
	if have == count {
		top, mean := h.Max(), h.Mean()
		p.Max, p.Mean = &top, &mean
	}
	return p
}

// take keeps what an interval says. Only --json prints them all, so only then do they stay.
func (o *outcome) take(i report.Interval) {
	if o.Config.json {
		text, _ := json.Marshal(i) // our own structs always marshal
		o.Intervals = append(o.Intervals, text)
	}
	for len(o.seconds) <= i.K {
		o.seconds = append(o.seconds, tick{})
	}
	o.seconds[i.K] = tick{i.Planned, i.Answered, i.Arrived}
	if i.Phase == "load" {
		o.response.Add(i.Response)
	}
}

// measure makes the percentiles of what was reported.
func (o *outcome) measure() {
	if d := o.Done; d != nil {
		all := func(h *hist.Histogram) percentiles { return percentilesOf(h, h.Count()) }
		o.Latency = &latencies{percentilesOf(o.response, d.Totals.Load.Planned), all(d.Service), all(d.Lag), all(d.Connect), all(d.LoopLag)}
	}
}

// judge gives the verdict: the first of refused, failed, interrupted, invalid, partial and ok that applies.
func (o *outcome) judge() {
	o.Reasons = []string{}
	if o.failure != nil {
		o.Verdict, o.Exit, o.Reasons = "invalid", exitInternal, append(o.Reasons, o.failure.Error())
		if phase := errs.From(o.failure).Phase; phase == errs.Spec || phase == errs.Budget { // nothing was begun
			o.Verdict, o.Exit = "refused", exitRefused
		}
		return
	}
	invalid, partial := o.faults()
	o.Reasons = append(append(o.Reasons, invalid...), partial...)
	switch {
	case o.interrupted:
		o.Verdict, o.Exit = "interrupted", exitInterrupted
		o.Reasons = append([]string{"it was stopped before its end"}, invalid...)
	case len(invalid) > 0:
		o.Verdict, o.Exit = "invalid", exitInvalid
	case len(partial) > 0:
		o.Verdict, o.Exit = "partial", exitInvalid
	default:
		o.Verdict, o.Exit = "ok", exitOK
	}
}

// standing is how many connections the load has: verified ones, but a calibration does not verify.
func (o *outcome) standing() int {
	if !o.Config.Traits().Verifies {
		return o.Armed.Connected
	}
	return o.Armed.Verified
}

// faults are the reasons why the figures cannot stand, and why they stand for less than was asked.
func (o *outcome) faults() (invalid, partial []string) {
	if o.Armed != nil && o.standing() < o.asked {
		reason := fmt.Sprintf("%s of %s were not armed%s, so no load was offered", grouped(int64(o.asked-o.standing())),
			plural(int64(o.asked), "connection"), failures(o.Armed.Failed))
		if o.Armed.Failed["connect/refused"] > 0 && o.Armed.Connected == 0 {
			reason += "; does a server listen at " + strings.Join(texts(o.Config.Targets), ", ") + "?"
		}
		if began := o.Armed.Strange; len(began) > 0 {
			want := wire.First(o.Config.PayloadBytes, wire.Arm)
			reason += fmt.Sprintf("; the first wrong reply began %+q, where the record that was sent begins %+q", began, want[:])
		}
		partial = append(partial, reason)
	}
	d := o.Done
	if d == nil {
		return invalid, partial
	}
	if lost := int64(d.Connections.Lost); lost > 0 && o.Config.Traits().Holds {
		armed := plural(int64(d.Connections.Armed), "connection")
		reason := fmt.Sprintf("%s of %s were lost under load", grouped(lost), armed)
		if closed(d.Errors) >= lost {
			reason = fmt.Sprintf("the server closed %s of %s", grouped(lost), armed)
		}
		partial = append(partial, reason)
	}
	if wrong := wrongReplies(d.Integrity); wrong != "" {
		invalid = append(invalid, "wrong replies: "+wrong)
	} else if n := d.Totals.Warmup.Mismatched + d.Totals.Load.Mismatched; n > 0 {
		invalid = append(invalid, plural(n, "reply")+" did not match")
	}
	if d.Surplus > 0 {
		invalid = append(invalid, plural(d.Surplus, "byte")+" or replies that no request asked for")
	}
	if planned, settled := d.Totals.Warmup.Planned+d.Totals.Load.Planned, d.Totals.Warmup.Settled()+d.Totals.Load.Settled(); planned != settled {
		invalid = append(invalid, fmt.Sprintf("%s requests were planned and %s have an outcome", grouped(planned), grouped(settled)))
	}
	c := d.Totals.Load
	if float64(c.UnsentLate) > mostUnsent*float64(c.Planned) && !o.interrupted {
		invalid = append(invalid, fmt.Sprintf("%s of %s planned requests were never sent, for this generator was late (%s %%)", grouped(c.UnsentLate),
			grouped(c.Planned), three(100*float64(c.UnsentLate)/float64(c.Planned))))
	}
	if c.Planned == 0 && d.Ceiling == nil && !o.interrupted && o.Config.Active > 0 {
		invalid = append(invalid, "no request was due in the window: offer more of them (--rate), or for longer (--duration)")
	}
	return invalid, partial
}

// closed is how many connections the peer ended.
func closed(rows []errs.Row) (n int64) {
	for _, r := range rows {
		if (r.Phase == errs.Read.String() || r.Phase == errs.Write.String()) && (r.Cause == errs.PeerClosed.String() || r.Cause == errs.Reset.String()) {
			n += r.Count
		}
	}
	return n
}
