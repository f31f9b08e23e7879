package processes

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
)

// A merger adds up the intervals of the processes, second by second.
type merger struct {
	parts int
	emit  func(engine.Interval)
	open  map[int]*partial
}

type partial struct {
	sum   engine.Interval
	parts int
}

func newMerger(parts int, emit func(engine.Interval)) *merger {
	return &merger{parts: parts, emit: emit, open: map[int]*partial{}}
}

func (m *merger) add(i engine.Interval) {
	p := m.open[i.K]
	if p == nil {
		p = &partial{sum: engine.Interval{K: i.K, Warmup: i.Warmup, Response: hist.New()}}
		m.open[i.K] = p
	}
	p.parts++
	p.sum.Counts.Add(&i.Counts)
	p.sum.Lag += i.Lag
	p.sum.Response.Add(i.Response)
	if p.parts == m.parts {
		m.out(i.K)
	}
}

func (m *merger) out(k int) {
	p := m.open[k]
	delete(m.open, k)
	m.emit(p.sum)
}

// flush emits what not every process had a part in, such as the last second of a quota of requests.
func (m *merger) flush() {
	for k := 0; len(m.open) > 0; k++ {
		if m.open[k] != nil {
			m.out(k)
		}
	}
}

func addArmed(sum, part *engine.Armed) {
	sum.Connected += part.Connected
	sum.Verified += part.Verified
	sum.Retries += part.Retries
	if sum.Strange == nil {
		sum.Strange = part.Strange
	}
	for key, n := range part.Failed {
		sum.Failed[key] += n
	}
	for i, n := range part.SYNRetries {
		sum.SYNRetries[i] += n
	}
}

// sumDone is what one process that had done all of it would say.
func sumDone(parts []engine.Done) engine.Done {
	sum := engine.Done{Service: hist.New(), Lag: hist.New(), Connect: hist.New(), LoopLag: hist.New()}
	var rows []errs.Row
	var gaps []int64
	for i := range parts {
		d := &parts[i]
		if d.FirstSend != 0 && (sum.FirstSend == 0 || d.FirstSend < sum.FirstSend) {
			sum.FirstSend = d.FirstSend
		}
		sum.LastSend = max(sum.LastSend, d.LastSend)
		sum.LastReply = max(sum.LastReply, d.LastReply)
		sum.Left += d.Left
		sum.Armed += d.Armed
		sum.Open += d.Open
		sum.Lost += d.Lost
		sum.Surplus += d.Surplus
		sum.Warmup.Add(&d.Warmup)
		sum.Load.Add(&d.Load)
		sum.Service.Add(d.Service)
		sum.Lag.Add(d.Lag)
		sum.Connect.Add(d.Connect)
		sum.LoopLag.Add(d.LoopLag)
		sum.Integrity = sum.Integrity.Plus(d.Integrity)
		sum.MaxLoopGap = max(sum.MaxLoopGap, d.MaxLoopGap)
		if c := d.Ceiling; c != nil {
			if sum.Ceiling == nil {
				sum.Ceiling = &engine.Ceiling{}
			}
			*sum.Ceiling = engine.Ceiling{Sends: sum.Ceiling.Sends + c.Sends, Wall: max(sum.Ceiling.Wall, c.Wall), CPU: sum.Ceiling.CPU + c.CPU}
		}
		rows = append(rows, d.Errors...)
		gaps = append(gaps, d.SendGaps...)
	}
	sum.Errors = errs.Merge(rows)
	sum.SendGaps = sample(gaps, engine.MostSendGaps)
	return sum
}

// sample takes evenly from all gaps, at most `most`. A gap is one between sends of the same process.
func sample(gaps []int64, most int) []int64 {
	step := max(1, (len(gaps)+most-1)/most)
	kept := make([]int64, 0, min(len(gaps), most))
	for i := 0; i < len(gaps); i += step {
		kept = append(kept, gaps[i])
	}
	return kept
}
