package engines

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

func closedConfig(t *testing.T, s Script) Config {
	cfg := Plain(Serve(t, 64, s))
	cfg.Workload, cfg.Rate, cfg.Pipeline = Closed, 0, 3
	return cfg
}

func TestClosedAsksAgainAtOnce(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		var asked [30]atomic.Int64
		cfg := closedConfig(t, func(connection, _ int) Deed {
			asked[connection].Add(1)
			return Echo
		})
		cfg.Connections, cfg.Active, cfg.Warmup = 30, 20, 1
		e, _ := armed(t, cfg, kind)
		begun := time.Now()
		r := Load(t, e)
		if took := time.Since(begun); took < 2*time.Second || took > Patience || len(r.Intervals) != 2 {
			t.Errorf("%d intervals in %v", len(r.Intervals), took)
		}
		for _, c := range []Counts{r.Done.Warmup, r.Done.Load} {
			if c.Answered < 100 || c.Answered != c.Planned || c.Sent != c.Planned {
				t.Errorf("%+v", c)
			}
		}
		active := 0
		for i := range asked {
			if asked[i].Load() > 1 {
				active++
			}
		}
		if active != 20 || r.Done.Surplus != 0 {
			t.Errorf("%d connections were active, surplus %d", active, r.Done.Surplus)
		}
	})
}

func TestClosedThinks(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := closedConfig(t, Always(Echo))
		cfg.ThinkTime, cfg.Duration, cfg.Pipeline = time.Second, 2, 1
		// A reply takes its time, so each asks twice at most.
		d := trial(t, cfg, kind).Done
		if d.Load.Planned > 40 || d.Load.Planned <= 20 || d.Load.Answered != d.Load.Planned {
			t.Errorf("%+v", d.Load)
		}
		// The engine does not let them all ask at once: 50 ms are meant to be between two of the first.
		if first := d.SendGaps[:19]; slices.Max(first) < int64(20*time.Millisecond) {
			t.Errorf("all at once: %v", first)
		}
	})
}

// What is asked never exceeds the connections' pipelines: who gets no reply asks no more.
func TestClosedWaitsForReplies(t *testing.T) {
	type pair struct {
		deed Deed
		want Counts
		lost int
	}
	eachOf(t, map[string]pair{
		"silence": {Ignore, Counts{Planned: 60, Sent: 60, TimedOut: 60}, 0},
		"end":     {CloseIt, Counts{Planned: 60, Sent: 60, Failed: 60}, 20},
	}, func(t *testing.T, kind string, c pair) {
		cfg := closedConfig(t, func(_, record int) Deed {
			switch record {
			case 0:
				return Echo
			case 3: // by then all of a pipeline of 3 are sent
				return c.deed
			}
			return Ignore
		})
		cfg.Timeout = 3 * time.Second
		if d := trial(t, cfg, kind).Done; Planned(d.Load) != c.want || d.Lost != c.lost {
			t.Errorf("%+v", d)
		}
	})
}
