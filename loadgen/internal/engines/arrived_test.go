package engines

import (
	"sync/atomic"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

// A server that falls behind answers all it is asked, but not in the window: each reply counts in the second in which it came.
func TestRepliesCountInTheSecondOfTheirArrival(t *testing.T) {
	eachOf(t, map[string]string{"open": Open, "closed": Closed}, func(t *testing.T, kind, workload string) {
		const replies, wait = 12, 250 * time.Millisecond // so all are there after 3 s
		var served atomic.Int64
		cfg := Plain(Serve(t, 64, func(_, record int) Deed {
			if record > 0 {
				time.Sleep(wait)
				served.Add(1)
			}
			return Echo
		}))
		cfg.Workload, cfg.Connections, cfg.Active, cfg.Pipeline, cfg.Rate, cfg.Warmup, cfg.Duration = workload, 1, 1, 16, replies, 1, 1
		if workload == Closed {
			cfg.Pipeline, cfg.Rate = replies, 0
		}
		cfg.Rate /= 2
		r := trial(t, cfg, kind)
		all := r.Done.Warmup.Arrived + r.Done.Load.Arrived
		answered := r.Done.Warmup.Answered + r.Done.Load.Answered
		// Of 4 a second at most 8 can have come in two seconds, whatever the machine does.
		if all > 8 || all == 0 || answered < replies || r.Done.LastReply == 0 {
			t.Errorf("%d arrived of %d answered, last at %d", all, answered, r.Done.LastReply)
		}
		if w := r.Done.Warmup.Arrived; w > 4 {
			t.Errorf("%d in the warm-up", w)
		}
	})
}

// Requests that wait for their connection leave after the window: they are no rate that the generator has sent.
func TestSendsCountInTheSecondInWhichTheyLeave(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, func(_, record int) Deed {
			if record > 0 {
				time.Sleep(250 * time.Millisecond)
			}
			return Echo
		}))
		cfg.Connections, cfg.Active, cfg.Rate = 1, 1, 12
		d := trial(t, cfg, kind).Done
		if d.Load.Sent != 12 || d.Left == 0 || d.Left > 5 {
			t.Errorf("%d sent, %d of them in the window of 1 s, in which there is time for 4", d.Load.Sent, d.Left)
		}
	})
}

// Late replies arrive too, to whatever they answer.
func TestLateRepliesArrive(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, AfterFirst(Freeze)))
		cfg.Timeout, cfg.Duration, cfg.Rate = 100*time.Millisecond, 3, 50
		d := trial(t, cfg, kind).Done
		if d.Load.Answered != 0 || d.Load.Arrived == 0 || d.Load.Arrived > d.Integrity.Late {
			t.Errorf("%+v, %+v", d.Load, d.Integrity)
		}
	})
}

// The window of a number of requests ends with the last reply, which may come seconds after the last request was made.
func TestAQuotaLastsUntilItsLastReply(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := churning(Serve(t, 64, func(connection, _ int) Deed {
			if connection > 0 {
				time.Sleep(1200 * time.Millisecond)
			}
			return Echo
		}))
		cfg.Connections, cfg.Requests = 5, 10
		r := trial(t, cfg, kind)
		d := &r.Done
		if d.Load.Answered != 10 || d.Load.Arrived != 10 || d.Load.Planned != 10 {
			t.Errorf("%+v", d.Load)
		}
		// Two rounds of 1.2 s each: nothing arrives in the first second, and the last in the third or later.
		if n := len(r.Intervals); n < 3 || r.Intervals[0].Counts.Arrived != 0 || r.Intervals[n-1].Counts.Arrived == 0 {
			t.Errorf("%d intervals: %+v", n, r.Intervals)
		}
		if took := time.Duration(d.LastReply - d.FirstSend); took < 2400*time.Millisecond {
			t.Errorf("the last reply came after %v", took)
		}
	})
}
