package processes

import (
	"math"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/engine"
)

// ratePerProcess is what one process offers with ease on one processor, in requests/s.
const ratePerProcess = 25_000

// Count is how many processes a share is spread over: `asked` of them, or as many as its descriptors need and its work is
// worth, given the descriptors that one process may have and the processors that all may use.
func Count(cfg engine.Config, asked int, descriptors uint64, cpus int) int {
	if asked > 0 {
		return max(1, min(asked, cfg.Connections))
	}
	each := max(1, int(min(descriptors, math.MaxInt32))-budget.Spare)
	work := cpus
	if cfg.Traits().Paced {
		work = min(cpus, int(math.Ceil(cfg.Rate/ratePerProcess)))
	}
	return max(1, min(max((cfg.Connections+each-1)/each, work), cfg.Connections))
}

// Split divides a share into n with nothing lost: connections in runs without gaps, active ones by connections, and what they
// are asked by active ones. Only the first process has fewer than n parts' worth of a remainder's luck: remainders go to the
// earlier.
func Split(cfg engine.Config, n int) []engine.Config {
	parts := make([]engine.Config, n)
	first := 0
	for i := range parts {
		c := cfg
		c.Connections = portion(cfg.Connections, i, n)
		c.Active = portion(cfg.Active, i, n)
		c.FirstConnection = cfg.FirstConnection + uint32(first)
		first += c.Connections
		parts[i] = c
	}
	for i := range parts {
		c := &parts[i]
		c.Rate, c.ConnectRate = 0, cfg.ConnectRate*float64(c.Connections)/float64(max(1, cfg.Connections))
		if cfg.Active > 0 {
			c.Rate = cfg.Rate * float64(c.Active) / float64(cfg.Active)
		}
		// A fixed law of the whole has its arrivals a gap apart; each part has every n-th of them.
		c.Phase = (cfg.Phase + float64(i)) / float64(n)
		if cfg.Requests >= 0 {
			c.Requests = int64(portion(int(cfg.Requests), i, n))
		}
	}
	return parts
}

// portion is part i of total in n parts that differ by one at most, the larger first.
func portion(total, i, n int) int {
	part := total / n
	if i < total%n {
		part++
	}
	return part
}
