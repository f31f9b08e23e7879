package cli

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/report"

	"golang.org/x/sys/unix"
)

// read reads what --json printed.
func read(t *testing.T, text string) outcome {
	t.Helper()
	var o outcome
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&o); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("there is more than one object: %v", err)
	}
	return o
}

func TestJSONAddsUp(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := say([]string{"--target", serve(t, echo).String(), "-c", "4", "-r", "300", "-d", "2", "--warmup", "1", "--json", "-q",
		"--seed", "7", "--hostile", "half_close:2"}, nil)
	o := read(t, stdout)
	if code != 0 || o.Exit != 0 || o.Verdict != "ok" || o.Version != 1 || len(o.Reasons) != 0 || stderr != "" {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	if o.Config.Seed != 7 || o.Config.Rate != 300 || o.Config.Warmup != 1 || o.Config.Duration != 2 || o.Config.Active != 4 {
		t.Errorf("%+v", o.Config)
	}
	if o.Armed.Verified != 4 || *o.Held != 4 || o.Armed.Seconds <= 0 || o.Budget.Ports.Need != 6 || o.Budget.Descriptors.Have < 64 {
		t.Errorf("armed %+v, budget %+v", o.Armed, o.Budget)
	}
	if h := o.Done.Hostile; h == nil || h.Kind != "half_close" || h.Opened < 2 || h.Wrong != 0 {
		t.Errorf("%+v", h)
	}
	var warmup, load engine.Counts
	for k, text := range o.Intervals {
		i := report.Interval{}
		if err := json.Unmarshal(text, &i); err != nil {
			t.Fatal(err)
		}
		into := &load
		if i.Phase == "warmup" {
			into = &warmup
		}
		if i.K != k || i.Planned != i.Settled() {
			t.Errorf("interval %d: %+v", k, i.Counts)
		}
		into.Planned += i.Planned
		into.Sent += i.Sent
		into.Answered += i.Answered
		into.Arrived += i.Arrived
	}
	if len(o.Intervals) != 3 || load != o.Done.Totals.Load || warmup != o.Done.Totals.Warmup || load.Planned < 400 {
		t.Errorf("%d intervals: %+v and %+v, totals %+v", len(o.Intervals), warmup, load, o.Done.Totals)
	}
	if r := o.Latency.Response; r.Count != load.Planned || r.P50 == nil || *r.P50 > *r.P99 || *r.P99 > *r.Max {
		t.Errorf("%+v", r)
	}
	if s := o.Latency.Service; s.Count != load.Answered || *s.Max > *o.Latency.Response.Max {
		t.Errorf("%+v", s)
	}
}

// What is not answered in time is slower than everything: null, never a small number.
func TestUnansweredHasNoPercentile(t *testing.T) {
	t.Parallel()
	silent := serve(t, func(c net.Conn) { after(1, func([]byte) bool { _, _ = io.Copy(io.Discard, c); return false })(c) })
	begun := time.Now()
	code, stdout, _ := say([]string{"--target", silent.String(), "-c", "2", "-r", "20", "-d", "1", "--warmup", "0", "--timeout", "300ms", "--json", "-q",
		"--pipeline", "64"}, nil)
	o := read(t, stdout)
	c := o.Done.Totals.Load
	if c.TimedOut == 0 || c.TimedOut != c.Planned || o.Latency.Response.P50 != nil || o.Latency.Response.Max != nil || !strings.Contains(stdout, `"p50":null`) ||
		time.Since(begun) > 15*time.Second { // the last echoes too are given up after the timeout, not after that of arming
		t.Errorf("exit %d after %v: %s", code, time.Since(begun), stdout)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	answered := make(chan bool, 1)
	target := serve(t, after(1, func([]byte) bool {
		select {
		case answered <- true:
		default:
		}
		return true
	}))
	signals := make(chan os.Signal, 2)
	go func() { <-answered; signals <- unix.SIGINT }() // in the middle of the load
	begun := time.Now()
	code, stdout, stderr := say([]string{"--target", target.String(), "-c", "2", "-r", "100", "-d", "60", "--json"}, signals)
	o := read(t, stdout)
	if code != 130 || o.Exit != 130 || o.Verdict != "interrupted" || o.Done == nil || time.Since(begun) > 20*time.Second {
		t.Errorf("exit %d after %v: %s", code, time.Since(begun), stdout)
	}
	if !strings.Contains(stderr, "Interrupted") {
		t.Errorf("stderr %q", stderr)
	}
	if w := o.Done.Totals.Warmup; w.Planned == 0 || w.Planned != w.Settled() {
		t.Errorf("%+v", w)
	}
}

// Where the first signal finds an engine that cannot settle, the second ends the run at once.
func TestInterruptedTwice(t *testing.T) {
	signals := make(chan os.Signal, 2)
	signals <- unix.SIGINT
	signals <- unix.SIGINT
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if code, _, _ := say([]string{"--target", listener.Addr().String(), "-c", "2", "-q"}, signals); code != 130 {
		t.Errorf("exit %d", code)
	}
}

// The log of --hlog holds the same latencies, whole.
func TestTheLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latency.hlog")
	_, stdout, _ := say([]string{"--target", serve(t, echo).String(), "-c", "2", "-r", "100", "-d", "1", "--warmup", "1", "--json", "-q", "--hlog", path}, nil)
	o := read(t, stdout)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "Tag=") {
			fields := strings.Split(strings.TrimSpace(line), ",")
			h := hist.Histogram{}
			if err := h.UnmarshalText([]byte(fields[4])); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			counts[fields[0]] += h.Count()
		}
	}
	totals := o.Done.Totals
	if counts["Tag=response"] != totals.Warmup.Answered+totals.Load.Answered || counts["Tag=service"] != totals.Load.Answered || counts["Tag=connect"] != 2 ||
		counts["Tag=lag"] != totals.Load.Sent {
		t.Errorf("%v, %+v", counts, totals)
	}
}

func TestPercentilesOverPlanned(t *testing.T) {
	h := hist.New()
	for i := range int64(90) {
		h.Record((i + 1) * 1000)
	}
	p := percentilesOf(h, 100) // ten were never answered
	if *p.P50 < 49_900 || *p.P50 > 50_100 || *p.P90 < 89_900 || p.P95 != nil || p.P99 != nil || p.Max != nil || p.Mean != nil || p.Count != 100 {
		t.Errorf("%+v", p)
	}
	p = percentilesOf(h, 90)
	if p.Max == nil || *p.Max < 90_000 || p.P999 == nil || *p.Mean < 45_000 {
		t.Errorf("%+v", p)
	}
	if p := percentilesOf(hist.New(), 0); p.P50 != nil || p.Max != nil {
		t.Errorf("%+v", p)
	}
}

func TestVerdicts(t *testing.T) {
	counts := func(planned, sent, answered int64) engine.Counts {
		return engine.Counts{Planned: planned, Sent: sent, Answered: answered, TimedOut: planned - answered}
	}
	for _, c := range []struct {
		name    string
		change  func(*outcome)
		verdict string
		exit    int
	}{
		{"good", func(*outcome) {}, "ok", 0},
		{"late replies are a result", func(o *outcome) { o.Done.Integrity.Late = 5 }, "ok", 0},
		{"timeouts are a result", func(o *outcome) { o.Done.Totals.Load = counts(100, 100, 0) }, "ok", 0},
		{"a server that keeps them from leaving is a result", func(o *outcome) { o.Done.Totals.Load = counts(100, 20, 0); o.Done.Load.UnsentWaiting = 80 }, "ok", 0},
		{"late for 1 % is borne", func(o *outcome) { o.Done.Totals.Load = counts(100, 99, 99); o.Done.Load.UnsentLate = 1 }, "ok", 0},
		{"late for 2 % is not", func(o *outcome) { o.Done.Totals.Load = counts(100, 98, 98); o.Done.Load.UnsentLate = 2 }, "invalid", 3},
		{"incomplete replies are a result", func(o *outcome) { o.Done.Integrity.Incomplete = 5 }, "ok", 0},
		{"nothing was due", func(o *outcome) { o.Done.Totals.Load = counts(0, 0, 0) }, "invalid", 3},
		{"none is active", func(o *outcome) { o.Done.Totals.Load = counts(0, 0, 0); o.Config.Active = 0 }, "ok", 0},
		{"one crossed", func(o *outcome) { o.Done.Integrity.Crossed = 1 }, "invalid", 3},
		{"surplus", func(o *outcome) { o.Done.Surplus = 1 }, "invalid", 3},
		{"an unsettled request", func(o *outcome) { o.Done.Totals.Load.Planned++ }, "invalid", 3},
		{"a lost connection", func(o *outcome) { o.Done.Connections.Lost = 1 }, "partial", 3},
		{"churn has none to lose", func(o *outcome) { o.Done.Connections.Lost = 1; o.Config.Workload = engine.Churn }, "ok", 0},
		{"one not armed", func(o *outcome) { o.Armed.Verified--; o.Done = nil }, "partial", 3},
		{"interrupted before all", func(o *outcome) { o.Armed.Verified--; o.interrupted = true }, "interrupted", 130},
		{"refused", func(o *outcome) { o.failure = errs.New(errs.Budget, "ports", "Too few.", "Have more.") }, "refused", 2},
		{"broken", func(o *outcome) { o.failure = errs.New(errs.Internal, "other", "No.", "Tell.") }, "invalid", 1},
	} {
		o := &outcome{Armed: &armed{Armed: report.OfArmed(engine.Armed{Verified: 10})}, asked: 10, Done: &report.Done{}, Config: &options{}}
		o.Config.Workload, o.Config.Active, o.Done.Load = engine.Open, 10, counts(100, 100, 100)
		c.change(o)
		o.judge()
		if o.Verdict != c.verdict || o.Exit != c.exit || (o.Exit != 0) != (len(o.Reasons) > 0) {
			t.Errorf("%s: %s, exit %d, %q", c.name, o.Verdict, o.Exit, o.Reasons)
		}
	}
}

func TestTheLiveLine(t *testing.T) {
	var b strings.Builder
	l := newLive(&b, true)
	l.now("window")
	l.settled(report.Interval{Counts: engine.Counts{Sent: 10_000, Arrived: 9_998, TimedOut: 2}, Response: hist.New()})
	long := l.line()
	l.show(long)
	l.show("short")
	l.close()
	if !strings.Contains(long, "window   sent 10,000/s   answered 9,998/s   unanswered 2") {
		t.Errorf("%q", long)
	}
	if strings.Contains(b.String(), "\n") || !strings.Contains(b.String(), "\rshort  ") || !strings.HasSuffix(b.String(), "\r") {
		t.Errorf("%q", b.String())
	}
}
