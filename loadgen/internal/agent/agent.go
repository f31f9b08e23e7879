// Package agent lets the conductor drive an engine: orders come in on stdin, events go out on stdout and into a journal,
// and the process ends itself when nobody needs it any more (docs/contracts.md, "Line protocol").
package agent

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/load"
	"c10k/loadgen/internal/selfreport"

	"golang.org/x/sys/unix"
)

const (
	silence   = 10 * time.Second       // without an order after which the conductor is taken for dead
	stopTime  = 2 * time.Second        // for the engine to settle what it has,
	closeTime = 200 * time.Microsecond // and to close each of its connections
)

// The exit codes.
const (
	exitTold    = 0 // by the order stop
	exitAlone   = 1 // for any other reason
	exitRefused = 2 // because the run cannot be
)

// An Agent is one process during one trial.
type Agent struct {
	spec    Spec
	share   load.Share
	limits  budget.Limits
	journal *journal
	log     *log.Logger

	orders chan order      // for the engine; room for one
	busy   atomic.Bool     // the engine has an order
	ctx    context.Context // its life
	cancel context.CancelFunc
	once   sync.Once
	code   atomic.Int32
	doing  atomic.Pointer[string]    // the order that is being carried out and that may take long
	shown  atomic.Pointer[load.Load] // the engine, once there is one, for its progress alone
	// Of the engine's thread alone:
	engine *load.Load // nil before arm
	phase  stage
	armed  int // connections ordered so far
}

func newAgent(stderr io.Writer) *Agent {
	a := &Agent{orders: make(chan order, 1), log: log.New(stderr, "", 0)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

type stage int

const (
	fresh    stage = iota
	isArming       // some steps of a ramp are armed
	isArmed
	refused
	isDone
)

// Run is the agent's life; it returns the exit code.
func Run(text string, stdin io.Reader, stdout, stderr io.Writer) int {
	signal.Ignore(unix.SIGPIPE) // a closed stdout is seen as EPIPE
	// From before the record of this process is written, so that no signal leaves it behind.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	a := newAgent(stderr)
	logFile, err := a.prepare(text, stdout, stderr)
	if err != nil {
		e := errs.From(err)
		a.log.Printf("loadgen: %v", e)
		if a.journal != nil {
			a.journal.emit(failure{"error", e})
			a.journal.close()
			removeIdentity(&a.spec)
		} else {
			_, _ = stdout.Write(line(failure{"error", e}))
		}
		return exitRefused
	}
	defer func() { _ = logFile.Close() }()
	defer removeIdentity(&a.spec)
	a.log.Printf("agent %d on %s: run %s, trial %d: %s with %d connections", os.Getpid(), a.spec.Host, a.spec.Run, a.spec.Trial,
		a.spec.Load.Workload, a.spec.Load.Connections)
	idle := make(chan struct{})
	go a.drive(idle)
	go a.progress(idle)
	a.live(stdin, signals)
	patience := stopTime + time.Duration(a.spec.Load.Connections)*closeTime
	select {
	case <-idle:
	case <-time.After(patience):
		a.log.Printf("the engine did not settle within %v", patience)
	}
	a.journal.close()
	return int(a.code.Load())
}

// prepare does all that comes before hello.
func (a *Agent) prepare(text string, stdout, stderr io.Writer) (*os.File, error) {
	var err error
	if a.spec, err = ParseSpec(text); err != nil {
		return nil, err
	}
	if a.share, err = a.spec.Share(); err != nil {
		return nil, err
	}
	// The engine's thread is locked, so the orders need another beside it, even on one processor.
	runtime.GOMAXPROCS(max(2, min(4, len(a.spec.CPUs))))
	err = os.MkdirAll(a.spec.Dir, 0o755) // #nosec G301 -- other accounts may see which runs have left logs
	if err != nil {
		return nil, errs.New(errs.Spec, "dir", fmt.Sprintf("The directory of the trial cannot be made: %v.", err),
			"Let this user write below the base directory.")
	}
	logFile, err := os.Create(filepath.Join(a.spec.Dir, "loadgen.log"))
	if err != nil {
		return nil, errs.New(errs.Spec, "dir", fmt.Sprintf("The log cannot be written: %v.", err), "Let this user write below the base directory.")
	}
	a.log = log.New(io.MultiWriter(logFile, stderr), "", log.LstdFlags|log.LUTC|log.Lmicroseconds)
	a.journal, err = newJournal(filepath.Join(a.spec.Dir, "agent.jsonl"), &a.spec, stdout, func(err error) {
		a.end(exitAlone, "stdout has no reader: "+err.Error())
	})
	if err != nil {
		return nil, err
	}
	if err := writeIdentity(&a.spec); err != nil {
		return nil, err
	}
	if a.limits, err = budget.Read(); err != nil {
		return nil, err
	}
	if err := selfreport.Pin(a.spec.CPUs); err != nil {
		return nil, err
	}
	a.journal.emit(hello{"hello", 1, a.spec.Host, os.Getpid(), "client", engine.Monotonic(), a.limits.Descriptors})
	return logFile, nil
}

// live reads orders until something ends the agent.
func (a *Agent) live(stdin io.Reader, signals <-chan os.Signal) {
	lifetime := time.AfterFunc(time.Duration(a.spec.Lifetime*1e9), func() { a.end(exitAlone, "its lifetime is over") })
	defer lifetime.Stop()
	quietness := time.AfterFunc(silence, func() { a.end(exitAlone, fmt.Sprintf("no order for %v", silence)) })
	defer quietness.Stop()
	go a.read(stdin, func() { quietness.Reset(silence) })
	select {
	case s := <-signals:
		a.end(exitAlone, s.String())
	case <-a.ctx.Done():
	}
}

// end ends the agent, the first time it is called.
func (a *Agent) end(code int32, why string) {
	a.once.Do(func() {
		a.log.Printf("ends: %s", why)
		a.code.CompareAndSwap(exitTold, code) // a refusal stays one
		a.cancel()
	})
}

// say emits an error event, and tells people.
func (a *Agent) say(err error) {
	e := errs.From(err)
	a.log.Printf("%s/%s: %v", e.Phase, e.Cause, e)
	a.journal.emit(failure{"error", e})
}
