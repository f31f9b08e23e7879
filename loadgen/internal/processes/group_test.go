package processes

import (
	"bytes"
	"encoding/gob"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
)

func TestCount(t *testing.T) {
	open := engine.Config{Workload: engine.Open, Connections: 10_000, Rate: 10_000}
	with := func(change func(*engine.Config)) engine.Config {
		c := open
		change(&c)
		return c
	}
	for _, c := range []struct {
		name        string
		cfg         engine.Config
		asked       int
		descriptors uint64
		cpus        int
		want        int
	}{
		{"one holds it", open, 0, 20_000, 8, 1},
		{"asked", open, 4, 20_000, 1, 4},
		{"asked for more than connections", with(func(c *engine.Config) { c.Connections = 3 }), 4, 20_000, 1, 3},
		{"just enough descriptors", open, 0, 10_064, 1, 1},
		{"one descriptor short", open, 0, 10_063, 1, 2},
		{"120,000", with(func(c *engine.Config) { c.Connections = 120_000 }), 0, 20_000, 2, 7},
		{"a rate for two", with(func(c *engine.Config) { c.Rate = 25_001 }), 0, 20_000, 8, 2},
		{"a rate for two on one processor", with(func(c *engine.Config) { c.Rate = 25_001 }), 0, 20_000, 1, 1},
		{"saturating takes every processor", with(func(c *engine.Config) { c.Workload = engine.Closed }), 0, 20_000, 8, 8},
		{"nothing to do", with(func(c *engine.Config) { c.Connections, c.Rate = 0, 0 }), 0, 20_000, 8, 1},
		{"no descriptors at all", with(func(c *engine.Config) { c.Connections = 2 }), 0, 3, 1, 2},
	} {
		if got := Count(c.cfg, c.asked, c.descriptors, c.cpus); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestSplitLosesNothing(t *testing.T) {
	for range 200 {
		whole := engine.Config{Connections: rand.IntN(200_000), FirstConnection: rand.Uint32N(1 << 20), Rate: rand.Float64() * 1e6,
			ConnectRate: rand.Float64() * 1e4, Requests: rand.Int64N(1e6), Phase: rand.Float64()}
		whole.Active = rand.IntN(whole.Connections + 1)
		n := 1 + rand.IntN(20)
		connections, active, rate, connectRate, requests := 0, 0, 0.0, 0.0, int64(0)
		for _, part := range Split(whole, n) {
			if part.FirstConnection != whole.FirstConnection+uint32(connections) {
				t.Fatalf("a gap before connection %d of %+v", part.FirstConnection, whole)
			}
			if part.Active > part.Connections {
				t.Errorf("%d active of %d", part.Active, part.Connections)
			}
			connections += part.Connections
			active += part.Active
			rate += part.Rate
			connectRate += part.ConnectRate
			requests += part.Requests
		}
		if connections != whole.Connections || active != whole.Active || requests != whole.Requests {
			t.Errorf("%+v in %d: %d connections, %d active, %d requests", whole, n, connections, active, requests)
		}
		if (whole.Active > 0 && math.Abs(rate-whole.Rate) > 1e-6*whole.Rate) || (whole.Connections > 0 && math.Abs(connectRate-whole.ConnectRate) > 1e-6*whole.ConnectRate) {
			t.Errorf("%+v in %d: %v requests/s, %v connects/s", whole, n, rate, connectRate)
		}
	}
}

// The arrivals of a fixed law, split and merged again, are those of the whole.
func TestSplitArrivals(t *testing.T) {
	whole := engine.Config{Connections: 100, Active: 100, Rate: 1000, Phase: 0.3, Requests: -1}
	arrivals := func(c engine.Config, n int) []int64 {
		p, err := pacing.New("fixed", c.Rate, c.Phase, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		times := make([]int64, n)
		for i := range times {
			times[i] = p.Next()
		}
		return times
	}
	var merged []int64
	for _, part := range Split(whole, 4) {
		merged = append(merged, arrivals(part, 50)...)
	}
	slices.Sort(merged)
	for i, want := range arrivals(whole, 200) {
		if d := merged[i] - want; d < -1 || d > 1 { // rounded to a nanosecond each
			t.Fatalf("arrival %d at %d ns, want %d", i, merged[i], want)
		}
	}
}

func histogramOf(values ...int64) *hist.Histogram {
	h := hist.New()
	for _, v := range values {
		h.Record(v)
	}
	return h
}

func TestIntervalsComeWhenAllHaveSettledThem(t *testing.T) {
	var out []engine.Interval
	m := newMerger(2, func(i engine.Interval) { out = append(out, i) })
	part := func(k int, ns int64) engine.Interval {
		return engine.Interval{K: k, Counts: engine.Counts{Planned: 1, Answered: 1}, Response: histogramOf(ns)}
	}
	m.add(part(0, 1000))
	m.add(part(1, 1000))
	if len(out) != 0 {
		t.Fatal("an interval came before both had settled it")
	}
	m.add(part(1, 5000))
	m.add(part(0, 9000))
	m.add(part(2, 1000)) // the other has no third second
	m.flush()
	if len(out) != 3 || out[0].K != 1 || out[1].K != 0 || out[2].K != 2 {
		t.Fatalf("%+v", out)
	}
	if c := out[0].Counts; c.Planned != 2 || c.Answered != 2 || out[0].Response.Count() != 2 || out[2].Counts.Planned != 1 {
		t.Errorf("%+v", out)
	}
}

func TestSumOfDone(t *testing.T) {
	part := func(first, last int64, gap time.Duration) engine.Done {
		return engine.Done{FirstSend: first, LastSend: last, Left: 3, Connections: engine.Connections{Armed: 10, Open: 9, Lost: 1},
			Surplus: 2, Totals: engine.Totals{Load: engine.Counts{Planned: 5, Answered: 5}},
			Service: histogramOf(first), Lag: histogramOf(last), Connect: histogramOf(), LoopLag: histogramOf(7), MaxLoopGap: gap,
			Integrity: engine.Integrity{Crossed: 1}, SendGaps: []int64{first, last}, Ceiling: &engine.Ceiling{Sends: 3, Wall: int64(gap), CPU: 4},
			Errors: []errs.Row{{Phase: "read", Cause: "reset", Blame: "server", Count: 2, First: "connection 1: reset"}}}
	}
	idle := engine.Done{Service: hist.New(), Lag: hist.New(), Connect: hist.New(), LoopLag: hist.New()}
	d := sumDone([]engine.Done{part(2000, 3000, 5), idle, part(1000, 9000, 4)})
	if d.FirstSend != 1000 || d.LastSend != 9000 || d.Left != 6 || d.Armed != 20 || d.Open != 18 || d.Lost != 2 || d.Surplus != 4 || d.Load.Planned != 10 {
		t.Errorf("%+v", d)
	}
	if d.Service.Count() != 2 || d.LoopLag.Count() != 2 || d.MaxLoopGap != 5 || d.Integrity.Crossed != 2 || len(d.SendGaps) != 4 {
		t.Errorf("%+v", d)
	}
	if *d.Ceiling != (engine.Ceiling{Sends: 6, Wall: 5, CPU: 8}) || len(d.Errors) != 1 || d.Errors[0].Count != 4 {
		t.Errorf("%+v, %+v", d.Ceiling, d.Errors)
	}
}

func TestSampleIsEvenAndBounded(t *testing.T) {
	if n := len(sample(make([]int64, 2048+1500), 2048)); n != 1774 {
		t.Errorf("%d", n)
	}
	if got := sample([]int64{1, 2, 3}, 10); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("%v", got)
	}
}

// What a child says must arrive as it was, histograms and errors included.
func TestRepliesTravel(t *testing.T) {
	var wire bytes.Buffer
	h := histogramOf(5, 1e6, 7e10)
	sent := reply{Interval: &engine.Interval{K: 4, Warmup: true, Counts: engine.Counts{Planned: 3}, Response: h}}
	if err := gob.NewEncoder(&wire).Encode(sent); err != nil {
		t.Fatal(err)
	}
	var got reply
	if err := gob.NewDecoder(&wire).Decode(&got); err != nil {
		t.Fatal(err)
	}
	i := got.Interval
	if i == nil || i.K != 4 || !i.Warmup || i.Counts.Planned != 3 || i.Response.Count() != h.Count() || i.Response.Max() != h.Max() || i.Response.Over != h.Over {
		t.Errorf("%+v", got)
	}
}

func FuzzReplies(f *testing.F) {
	var wire bytes.Buffer
	_ = gob.NewEncoder(&wire).Encode(reply{Interval: &engine.Interval{Response: histogramOf(5)}})
	f.Add(wire.Bytes())
	f.Fuzz(func(_ *testing.T, b []byte) {
		var r reply
		_ = gob.NewDecoder(bytes.NewReader(b)).Decode(&r) // an error or a reply, never a panic
	})
}

// What a process has done may still be nothing: that is no answer to its order.
func TestHowFarAProcessIsIsNotItsAnswer(t *testing.T) {
	var pipe bytes.Buffer
	replies := gob.NewEncoder(&pipe)
	for _, r := range []reply{{IsOn: true}, {IsOn: true, Progress: 7}, {Armed: engine.Armed{Connected: 9, Verified: 9}}} {
		if err := replies.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	c := &child{replies: gob.NewDecoder(&pipe)}
	if r, err := c.hear(); err != nil || r.Armed.Verified != 9 || c.done.Load() != 7 {
		t.Errorf("%+v (%v) after %d", r, err, c.done.Load())
	}
}

func TestHowManyProcessesAreAtWorkAtOnce(t *testing.T) {
	for _, c := range []struct {
		rate          float64
		n, cpus, want int
	}{{25_000, 17, 1, 2}, {25_000, 17, 4, 8}, {25_000, 3, 4, 3}, {25_000, 17, 0, 2}, {0, 17, 1, 17}} {
		if got := abreast(&engine.Config{ConnectRate: c.rate}, c.n, c.cpus); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// A server that has fallen silent costs one timeout, not one for each turn: after the first that proved nothing, all others are asked.
func TestAfterAMuteProcessAllOthersAreAskedAtOnce(t *testing.T) {
	const n = 7
	var others sync.WaitGroup // those that were not asked in the first turn
	others.Add(n - 2)
	g := &Group{atOnce: 2}
	for i := range n {
		orders, told := io.Pipe()
		replies, said := io.Pipe()
		g.children = append(g.children, &child{orders: gob.NewEncoder(told), replies: gob.NewDecoder(replies)})
		go func() {
			var o order
			_ = gob.NewDecoder(orders).Decode(&o)
			if i >= 2 {
				others.Done()
				others.Wait()
			}
			_ = gob.NewEncoder(said).Encode(reply{Proved: engine.Proved{Failed: 3}})
		}()
	}
	proved := make(chan engine.Proved)
	go func() { proved <- g.Prove(0) }()
	select {
	case p := <-proved:
		if p != (engine.Proved{Failed: 3 * n}) {
			t.Errorf("%+v", p)
		}
	case <-time.After(time.Minute):
		t.Fatal("the others were asked one after the other")
	}
}
