package cli

import (
	"fmt"
	"strings"

	"c10k/loadgen/internal/engine"
)

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
