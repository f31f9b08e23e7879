package agent

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
)

// maxLine is the longest line of the protocol in bytes.
const maxLine = 1 << 20

type order struct {
	Order string `json:"order"`
	N     *int64 `json:"n"`  // of clock
	At    *int64 `json:"at"` // of go; ns
}

func protocolError(format string, a ...any) error {
	return errs.New(errs.Protocol, "protocol", fmt.Sprintf(format, a...), "Use a conductor and a generator of the same version.")
}

// read carries out orders until stdin ends. It answers clock by itself, at once, whatever the engine does.
func (a *Agent) read(stdin io.Reader, heard func()) {
	lines := bufio.NewScanner(stdin)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for lines.Scan() {
		t := engine.Monotonic()
		heard()
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			a.say(protocolError("A line of %d bytes is not an order: %v.", len(lines.Bytes()), err))
			continue
		}
		switch {
		case o.Order == "alive":
		case o.Order == "clock" && o.N != nil:
			a.journal.answer(clock{"clock", *o.N, t})
		case o.Order == "stop":
			a.end(exitTold, "told to stop")
			return
		case o.Order == "arm", o.Order == "prove", o.Order == "go" && o.At != nil:
			a.hand(o)
		case o.Order == "clock", o.Order == "go":
			a.say(protocolError("The order %s lacks its number.", o.Order))
		default:
			a.say(protocolError("The order %.40q is unknown.", o.Order))
		}
	}
	if err := lines.Err(); err != nil {
		a.end(exitAlone, "stdin failed: "+err.Error())
		return
	}
	a.end(exitAlone, "its input ended")
}

// hand gives an order to the engine's thread, which does one at a time.
func (a *Agent) hand(o order) {
	if !a.busy.CompareAndSwap(false, true) {
		a.say(protocolError("The order %s came while another was being carried out.", o.Order))
		return
	}
	a.orders <- o
}

// drive is the engine's thread.
func (a *Agent) drive(idle chan<- struct{}) {
	runtime.LockOSThread()
	defer close(idle)
	defer func() {
		if a.engine != nil {
			a.engine.Close()
		}
	}()
	for {
		select {
		case <-a.ended:
			return
		case o := <-a.orders:
			event, err := a.obey(o)
			a.busy.Store(false) // before the answer, upon which the next order may come
			if err != nil {
				a.say(err)
			} else {
				a.journal.emit(event)
			}
		}
	}
}

func (a *Agent) obey(o order) (any, error) {
	switch {
	case o.Order == "arm" && a.phase == fresh:
		return a.arm()
	case o.Order == "prove" && (a.phase == isArmed || a.phase == isDone) && a.spec.Workload != engine.Churn:
		p := a.engine.Prove()
		return proved{"proved", p.Verified, p.Failed}, nil
	case o.Order == "go" && a.phase == isArmed:
		return a.load(*o.At)
	}
	return nil, protocolError("The order %s has no place here.", o.Order)
}

// arm checks the budget and then connects. A refusal leaves the agent alive until it is told to stop.
func (a *Agent) arm() (any, error) {
	need := budget.Need{Connections: a.spec.Connections, Sources: a.spec.Sources, Targets: a.spec.Targets}
	err := budget.Check(need, a.limits)
	if err != nil {
		a.phase = refused
		a.code.Store(exitRefused)
		return nil, err
	}
	e, err := engine.New(a.config)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.engine = e
	select {
	case <-a.ended:
		e.Stop()
	default:
	}
	a.mu.Unlock()
	result, err := e.Arm(a.spec.Connections)
	if err != nil {
		return nil, err
	}
	a.phase = isArmed
	quiet()
	a.log.Printf("armed: %d connected, %d verified, failed %v", result.Connected, result.Verified, result.Failed)
	return armed{"armed", result.Connected, result.Verified, result.Failed}, nil
}

// load runs the window. Histograms are encoded and written on another thread.
func (a *Agent) load(at int64) (any, error) {
	latencies, err := newLatencyLog(filepath.Join(a.spec.Dir, "latency.hlog"), &a.spec)
	if err != nil {
		return nil, err
	}
	defer latencies.close()
	// An interval a second comes, and at the end at most as many more as the timeout has seconds.
	settled := make(chan engine.Interval, 256)
	written := make(chan int64)
	go func() { written <- a.report(settled, latencies) }()
	before := used()
	result, err := a.engine.Run(at, func(i engine.Interval) { settled <- i })
	self := used().since(before)
	close(settled)
	over := <-written
	if err != nil {
		return nil, err
	}
	a.phase = isDone
	self.MaxLoopGap = int64(result.MaxLoopGap)
	return a.sum(&result, self, over, latencies)
}

// report writes the intervals and returns how many answers took longer than a histogram tells apart.
func (a *Agent) report(settled <-chan engine.Interval, latencies *latencyLog) (over int64) {
	for i := range settled {
		encoded, err := i.Response.Encode()
		if err != nil {
			a.say(err)
			continue
		}
		phase := "load"
		if i.Warmup {
			phase = "warmup"
		}
		latencies.add("response", i.K, 1, i.Response.Max(), encoded)
		over += i.Response.Over
		i.Recycle()
		a.journal.emit(interval{"interval", i.K, phase, i.Counts, encoded})
	}
	return over
}

// sum makes the last event of a load.
func (a *Agent) sum(d *engine.Done, self usage, over int64, latencies *latencyLog) (any, error) {
	event := done{
		Event: "done", Connections: connections{d.Armed, d.Open, d.Lost}, Surplus: d.Surplus, Totals: totals{d.Warmup, d.Load},
		Over60s: map[string]int64{"response": over, "service": d.Service.Over, "lag": d.Lag.Over, "connect": d.Connect.Over},
		Errors:  d.Errors, Self: self,
	}
	if d.FirstSend != 0 {
		event.FirstSend, event.LastSend = &d.FirstSend, &d.LastSend
	}
	var err error
	if event.Service, err = d.Service.Encode(); err != nil {
		return nil, err
	}
	if event.Lag, err = d.Lag.Encode(); err != nil {
		return nil, err
	}
	if event.Connect, err = d.Connect.Encode(); err != nil {
		return nil, err
	}
	latencies.add("lag", a.spec.Warmup, a.spec.Duration, d.Lag.Max(), event.Lag)
	latencies.add("service", a.spec.Warmup, a.spec.Duration, d.Service.Max(), event.Service)
	latencies.add("connect", 0, 0, d.Connect.Max(), event.Connect)
	if latencies.err != nil {
		a.say(errs.New(errs.Internal, "files", fmt.Sprintf("The latency log cannot be written: %v.", latencies.err), "Make room on the disk."))
	}
	a.log.Printf("done: warm-up %+v, window %+v, lag p50 %d p99 %d max %d ns, errors %v", d.Warmup, d.Load,
		d.Lag.Quantile(0.5), d.Lag.Quantile(0.99), d.Lag.Max(), d.Errors)
	return event, nil
}
