package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/engine"
)

// A page is the report for people, line by line: a title of one word, and what there is to say of it.
type page struct{ b strings.Builder }

func (p *page) line(title, format string, a ...any) {
	fmt.Fprintf(&p.b, "%s\n", strings.TrimRight(fmt.Sprintf("%-13s", title)+fmt.Sprintf(format, a...), " "))
}

// texts writes each of them.
func texts[T fmt.Stringer](items []T) []string {
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = item.String()
	}
	return all
}

// describe says what is going to happen: what load, and how it is offered.
func (o *options) describe() (load, manner string) {
	to := strings.Join(texts(o.Targets), ", ")
	if len(o.Targets) > 3 {
		to = fmt.Sprintf("%s and %d more", o.Targets[0], len(o.Targets)-1)
	}
	connections := plural(int64(o.Connections), "connection")
	if o.Active < o.Connections {
		connections += fmt.Sprintf(", %s of them active,", grouped(int64(o.Active)))
	}
	switch traits := o.Traits(); {
	case !traits.Verifies:
		load = fmt.Sprintf("calibration: as fast as %s to %s take them", connections, to)
	case !traits.Holds && traits.Paced:
		load = fmt.Sprintf("open loop: %s newcomers/s (%s) to %s: connect, echo, close, %s at a time at most", exact(o.Rate), o.Arrival, to, grouped(int64(o.Connections)))
	case !traits.Holds:
		load = fmt.Sprintf("%s: connect, echo, close, %s at a time, to %s", o.Workload, grouped(int64(o.Connections)), to)
	case !traits.Paced:
		load = fmt.Sprintf("closed loop on %s to %s", connections, to)
		if o.ThinkTime > 0 {
			load += fmt.Sprintf(", %s of thinking between", duration(o.ThinkTime))
		}
	default:
		load = fmt.Sprintf("open loop: %s requests/s (%s) on %s to %s", exact(o.Rate), o.Arrival, connections, to)
	}
	if o.Workload == engine.Ramp {
		load += fmt.Sprintf(", opened in %d steps", o.Steps)
	}
	manner = fmt.Sprintf("records of %s", plural(int64(o.PayloadBytes), "byte"))
	if o.Pipeline > 1 {
		manner += fmt.Sprintf(", up to %d outstanding each", o.Pipeline)
	}
	if h := o.Hostile; h != nil {
		manner += fmt.Sprintf(", beside %s hostile (%s)", grouped(int64(h.Connections)), h.Kind)
	}
	if o.Requests != nil {
		return load, manner + fmt.Sprintf(", until %s", plural(*o.Requests, "request"))
	}
	if o.Warmup > 0 {
		manner += fmt.Sprintf(", %s s of warm-up", grouped(int64(o.Warmup)))
	}
	return load, manner + fmt.Sprintf(", %s s of window", grouped(int64(o.Duration)))
}

// plan begins a report with what is to happen.
func (o *outcome) plan() *page {
	p := &page{}
	load, manner := o.Config.describe()
	p.line("plan", "%s", load)
	p.line("", "%s", manner)
	return p
}

// writeBudget writes plan and budget for people.
func (o *outcome) writeBudget(portRange string, w io.Writer) error {
	p := o.plan()
	if b := o.Budget; b != nil {
		row := func(title string, a budget.Amount, text func(int64) string, note string) {
			enough := "enough"
			if a.Need > a.Have {
				enough = "TOO LITTLE"
			}
			p.line("  "+title, "%12s%12s  %-11s%s", text(a.Need), text(a.Have), enough, note)
		}
		p.line("budget", "%12s%12s", "need", "have")
		row("descriptors", b.Descriptors, grouped, "of one process")
		row("ports", b.Ports, grouped, "from one source address to one target ("+portRange+")")
		row("memory", b.Memory, size, "of the kernel and the generator at most, about")
		p.line("  processes", "%12d", b.Processes)
	}
	p.line("", "Nothing was sent: this was a dry run.")
	_, err := io.WriteString(w, p.b.String())
	return err
}

// write writes the outcome for people.
func (o *outcome) write(w io.Writer) error {
	p := o.plan()
	spread := ""
	if o.Budget != nil && o.Budget.Processes > 1 {
		spread = fmt.Sprintf(" in %d processes", o.Budget.Processes)
	}
	p.line("", "seed %d, engine %s%s", o.Config.Seed, o.Config.engine, spread)
	if o.Armed != nil {
		p.arming(o)
	}
	verdict := o.Verdict
	if d := o.Done; d != nil {
		if d.Ceiling != nil {
			p.ceiling(d.Ceiling)
		} else {
			p.requests(o)
			p.latency(o)
			p.wrong(o)
		}
		p.generator(o)
		if d.Ceiling == nil && len(o.Reasons) == 0 {
			verdict += ": " + o.summary()
		}
	}
	if len(o.Reasons) > 0 {
		verdict += ": " + sentence(strings.Join(o.Reasons, "; "))
	}
	p.line("verdict", "%s", verdict)
	_, err := io.WriteString(w, p.b.String())
	return err
}

func (p *page) arming(o *outcome) {
	a := o.Armed
	for _, s := range o.Steps {
		p.line("step", "%9s connections: %s verified, the last ones within %s", grouped(int64(s.Connections)), grouped(int64(s.Verified)), span(int64(s.Seconds*1e9)))
	}
	switch traits := o.Config.Traits(); {
	case !traits.ConnectsAhead:
		p.line("connections", "tried before the load: %d of %d answered", a.Verified, o.asked)
		return
	case !traits.Verifies:
		p.line("connections", "%s of %s stand after %s", grouped(int64(a.Connected)), grouped(int64(o.asked)), span(int64(a.Seconds*1e9)))
		return
	}
	held := ""
	if o.Held != nil {
		held = fmt.Sprintf("; %s still answered at the end", grouped(int64(*o.Held)))
	}
	p.line("connections", "%s of %s answered a verified echo within %s%s", grouped(int64(a.Verified)), grouped(int64(o.asked)), span(int64(a.Seconds*1e9)), held)
	if a.Retries > 0 || len(a.Failed) > 0 {
		p.line("", "%s to connect%s", plural(a.Retries, "retry"), failures(a.Failed))
	}
	if s := a.SYNRetries; s["1"]+s["2"]+s["3"] > 0 {
		p.line("", "handshakes as long as lost SYNs take: %s of 1 s or more, %s of 3 s, %s of 7 s", grouped(s["1"]), grouped(s["2"]), grouped(s["3"]))
	}
}

// failures writes counts by phase and cause, in parentheses.
func failures(failed map[string]int64) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(failed)) {
		parts = append(parts, fmt.Sprintf("%s %s", key, grouped(failed[key])))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func (p *page) ceiling(c *engine.Ceiling) {
	sends := 1e9 * float64(c.Sends)
	p.line("ceiling", "%s records in %s: %s a second, %s in a second of CPU", grouped(c.Sends), span(c.Wall), three(sends/float64(max(1, c.Wall))),
		three(sends/float64(max(1, c.CPU))))
}

func (p *page) requests(o *outcome) {
	c := o.Done.Totals.Load
	p.line("requests", "%s planned, %s sent, %s answered%s", grouped(c.Planned), grouped(c.Sent), grouped(c.Answered), counted(", ", []class{
		{c.TimedOut, "timed out"}, {c.Censored, "unsettled at the end"}, {c.Dropped, "dropped from a full queue"}, {c.Mismatched, "answered wrongly"},
		{c.Failed, "failed with their connection"},
	}))
	if c.Unsent() > 0 {
		p.line("", "never sent: %s", counted("", []class{{c.UnsentWaiting, "whose connection was busy or closed"}, {c.UnsentLate, "for which this generator was late"}}))
	}
	p.line("throughput", "%s/s sent, %s/s answered, each reply in the second in which it came", three(o.Done.Self.Sent), three(o.Done.Self.Answered))
}

func (p *page) latency(o *outcome) {
	timeout := fmt.Sprintf("> %s s", exact(o.Config.Timeout))
	p.line("latency", "%11s%11s%11s%11s%11s%11s", "p50", "p90", "p95", "p99", "p99.9", "max")
	for _, row := range []struct {
		name    string
		of      percentiles
		missing string
	}{
		{"response", o.Latency.Response, timeout}, {"service", o.Latency.Service, "–"}, {"lag", o.Latency.Lag, "–"},
	} {
		cell := func(ns *int64) string {
			switch {
			case ns != nil:
				return span(*ns)
			case row.of.Count == 0:
				return "–"
			}
			return row.missing
		}
		f := row.of
		p.line("  "+row.name, "%11s%11s%11s%11s%11s%11s", cell(f.P50), cell(f.P90), cell(f.P95), cell(f.P99), cell(f.P999), cell(f.Max))
	}
	p.line("", "response: from when it was due, over all planned requests. service: from when it was sent, over the answered ones,")
	p.line("", "which is what a closed-loop tool would have shown. lag: how late it was sent.")
}

// A class is how many there were of something.
type class struct {
	count int64
	name  string
}

// counted lists the classes of which there are any; before stands before the first.
func counted(before string, classes []class) string {
	text := ""
	for _, c := range classes {
		if c.count > 0 {
			text += before + grouped(c.count) + " " + c.name
			before = ", "
		}
	}
	return text
}

// wrongReplies lists the classes of wrong replies that occurred; late ones are right.
func wrongReplies(i engine.Integrity) string {
	return counted("", []class{{i.Corrupt, "corrupt"}, {i.Truncated, "truncated"}, {i.Duplicated, "duplicated"}, {i.Reordered, "reordered"},
		{i.Crossed, "crossed"}, {i.Foreign, "foreign"}})
}

func (p *page) wrong(o *outcome) {
	d := o.Done
	integrity := wrongReplies(d.Integrity)
	switch all := d.Totals.Warmup.Answered + d.Totals.Load.Answered + d.Integrity.Late; {
	case integrity != "":
	case all == 0:
		integrity = "no reply came"
	default:
		integrity = "every reply was the record it answers, byte for byte"
	}
	if d.Integrity.Incomplete > 0 {
		integrity += fmt.Sprintf("; of %s a part came, and the rest may still have come", plural(d.Integrity.Incomplete, "reply"))
	}
	if d.Surplus > 0 {
		integrity += fmt.Sprintf("; surplus %s", grouped(d.Surplus))
	}
	if d.Integrity.Late > 0 {
		integrity += fmt.Sprintf("; %s came after the timeout", grouped(d.Integrity.Late))
	}
	p.line("integrity", "%s", integrity)
	if d.Connections.Lost > 0 {
		p.line("lost", "%s of %s", plural(int64(d.Connections.Lost), "connection"), grouped(int64(d.Connections.Armed)))
	}
	title := "errors"
	for _, e := range d.Errors {
		p.line(title, "%s × %s/%s, usually the %s's doing; first: %s", grouped(e.Count), e.Phase, e.Cause, e.Blame, e.First)
		title = ""
	}
	if h := d.Hostile; h != nil {
		p.line("hostile", "%s %s: opened %s, refused %s, reset by the server %s; %s out, %s in; rounds whole %s, wrong %s", grouped(int64(h.Connections)), h.Kind,
			grouped(h.Opened), grouped(h.Refused), grouped(h.Reset), size(h.BytesOut), size(h.BytesIn), grouped(h.Whole), grouped(h.Wrong))
	}
}

func (p *page) generator(o *outcome) {
	s := o.Done.Self
	text := fmt.Sprintf("%s CPU user, %s system in %s", span(s.User), span(s.System), span(s.Wall))
	if s.Wall > 0 {
		text += fmt.Sprintf(" (%s %% of one processor)", three(100*float64(s.User+s.System)/float64(s.Wall)))
	}
	p.line("generator", "%s, %s resident", text, size(s.MaxRSS))
	loop := ""
	if o.Latency.LoopLag.P99 != nil {
		loop = fmt.Sprintf("loop lag p99 %s; ", span(*o.Latency.LoopLag.P99))
	}
	p.line("", "%slongest gap %s; %s of garbage, %s of pauses; steal %s", loop, span(s.MaxLoopGap), plural(s.GCCycles, "collection"), span(s.GCPause), span(s.Steal))
	if counters := failures(s.Kernel); counters != "" {
		p.line("kernel", "%s", strings.Trim(counters, " ()"))
	}
}
