package agent

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hlog"
	"c10k/loadgen/internal/load"
	"c10k/loadgen/internal/report"
	"c10k/loadgen/internal/selfreport"
)

// maxLine is the longest line of the protocol in bytes.
const maxLine = 1 << 20

type order struct {
	Order string `json:"order"`
	N     *int64 `json:"n"`           // of clock
	At    *int64 `json:"at"`          // of go; ns
	Total *int   `json:"connections"` // of arm, in the steps of a ramp
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
			a.journal.answer(map[string]any{"event": "clock", "n": *o.N, "t": t})
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
			a.doing.Store(&stop)
			a.engine.Close()
		}
	}()
	for {
		select {
		case <-a.ctx.Done():
			return
		case o := <-a.orders:
			if o.Order != "go" { // that has its intervals
				a.doing.Store(&o.Order)
			}
			event, err := a.obey(o)
			if a.doing.Swap(nil) != nil && err == nil {
				a.journal.emit(progressed{"progress", o.Order, a.engine.Progress()})
			}
			a.busy.Store(false) // before the answer, upon which the next order may come
			if err != nil {
				a.say(err)
			} else {
				a.journal.emit(event)
			}
		}
	}
}

var stop = "stop"

// ownEvery is after how many seconds an agent says again what its processes use.
const ownEvery = 10

// progress says each second how far an order is, and so that this agent is alive, until the engine is idle for good; and now and
// then what its processes use.
func (a *Agent) progress(idle <-chan struct{}) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for k := 0; ; {
		select {
		case <-idle:
			return
		case <-second.C:
			share := a.shown.Load()
			if share == nil {
				continue
			}
			if order := a.doing.Load(); order != nil {
				a.journal.emit(progressed{"progress", *order, share.Progress()})
			}
			if k++; k%ownEvery == 1 {
				a.journal.emit(own{"own", engine.Monotonic(), selfreport.OwnOf(share.PIDs())})
			}
		}
	}
}

func (a *Agent) obey(o order) (any, error) {
	switch {
	case o.Order == "arm" && (a.phase == fresh || a.phase == isArming):
		return a.arm(o.Total)
	case o.Order == "prove" && (a.phase == isArming || a.phase == isArmed || a.phase == isDone) && a.spec.Load.Traits().Holds:
		p := a.engine.Prove(a.engine.ArmEnd())
		return proved{"proved", p}, nil
	case o.Order == "go" && a.phase == isArmed:
		return a.load(*o.At)
	}
	return nil, protocolError("The order %s has no place here.", o.Order)
}

// arm checks the budget and then connects, up to total connections where the order names them. A refusal leaves the agent
// alive until it is told to stop.
func (a *Agent) arm(total *int) (any, error) {
	upTo := a.spec.Load.Connections
	if total != nil {
		if a.spec.Load.Workload != engine.Ramp || *total <= a.armed || *total > a.spec.Load.Connections {
			return nil, protocolError("The order arm for %d connections has no place here.", *total)
		}
		upTo = *total
	}
	if a.phase == fresh {
		if err := a.ready(); err != nil {
			return nil, err
		}
	}
	result, err := a.engine.Arm(upTo, a.engine.ArmEnd())
	if err != nil {
		return nil, err
	}
	a.armed, a.phase = upTo, isArming
	if upTo == a.spec.Load.Connections {
		a.phase = isArmed
		selfreport.Quiet()
	}
	a.log.Printf("armed: %d connected, %d verified, failed %v", result.Connected, result.Verified, result.Failed)
	return report.OfArmed(result), nil
}

// ready makes the engine, if the budget allows it.
func (a *Agent) ready() (err error) {
	a.engine, err = load.New(a.ctx, a.share, a.limits)
	a.shown.Store(a.engine)
	if err != nil && errs.From(err).Phase == errs.Budget {
		a.phase = refused
		a.code.Store(exitRefused)
	}
	return err
}

// load runs the window. Histograms are encoded and written on another thread.
func (a *Agent) load(at int64) (any, error) {
	latencies, err := hlog.Create(filepath.Join(a.spec.Dir, "latency.hlog"), fmt.Sprintf("run %s, trial %d, host %s", a.spec.Run, a.spec.Trial, a.spec.Host))
	if err != nil {
		return nil, unwritten(err)
	}
	defer latencies.Close()
	result, err := a.engine.Run(at, latencies, func(i report.Interval) { a.journal.emit(i) })
	if err != nil {
		return nil, err
	}
	a.phase = isDone
	if err := latencies.Err(); err != nil {
		a.say(unwritten(err))
	}
	a.log.Printf("done: warm-up %+v, window %+v, integrity %+v, errors %v", result.Totals.Warmup, result.Totals.Load, result.Integrity, result.Errors)
	return result, nil
}

func unwritten(err error) error {
	return errs.New(errs.Internal, "files", fmt.Sprintf("The latency log cannot be written: %v.", err), "Make room on the disk.")
}
