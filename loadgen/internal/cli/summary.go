package cli

import (
	"fmt"
	"strings"
)

// summary is the verdict of a run with nothing to complain of.
func (o *outcome) summary() string {
	c, r := o.Done.Totals.Load, o.Latency.Response
	if c.Planned == 0 {
		return "no connection was active, so nothing was asked."
	}
	text := fmt.Sprintf("%s of %s requests answered within %s s", grouped(c.Answered), grouped(c.Planned), exact(o.Config.Timeout))
	switch {
	case r.P99 != nil:
		text += ", 99 % of them within " + span(*r.P99)
	case r.P50 != nil:
		text += ", half of all within " + span(*r.P50)
	}
	return text + o.shortfall() + "."
}

// shortfall says of a server that did not answer all in time how it failed to.
func (o *outcome) shortfall() string {
	d := o.Done
	c := d.Totals.Load
	since, due := silent(o.seconds)
	switch {
	case c.TimedOut+c.Failed == 0:
		return ""
	case since == 0 && d.Integrity.Late+d.Integrity.Incomplete == 0:
		return fmt.Sprintf("; the server answered none of them: %s", plural(c.TimedOut, "request")+" timed out")
	case due >= silence && d.Integrity.Late+d.Integrity.Incomplete == 0:
		return fmt.Sprintf("; the server stopped answering: from second %d of the load on none of %s was answered", since+1, plural(due, "request"))
	}
	text := fmt.Sprintf("; the server answered %s a second", three(d.Self.Answered))
	if o.Config.Traits().Paced {
		text += fmt.Sprintf(" of %s that were due", three(float64(c.Planned)/float64(o.Config.Duration)))
	}
	if c.UnsentWaiting > 0 {
		text += fmt.Sprintf(", and %s waited behind earlier ones until their time was over", plural(c.UnsentWaiting, "request"))
	}
	return text
}

// sentence ends a text with one full stop, or with what it ends with.
func sentence(text string) string {
	if strings.HasSuffix(text, "?") {
		return text
	}
	return strings.TrimRight(text, ".") + "."
}
