package processes

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/engines"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/selfreport"
)

// marker is the environment variable that every process of a group has.
const marker = "LOADGEN_PROCESS"

// An order goes to a child, the first with its configuration.
type order struct {
	Name   string // new, arm, prove, run, stop
	Config engine.Config
	Engine string
	CPUs   []int
	Total  int
	At     int64 // when to begin a run, or to be over with another
}

// A reply comes from one: one field says what was done, and none that it is ready. An interval is not the last of its order, and
// neither is how far it is.
type reply struct {
	IsOn     bool // and this is how far it is, which may be nothing yet
	Progress int64
	Armed    engine.Armed
	Proved   engine.Proved
	Interval *engine.Interval
	Done     *engine.Done
	Failure  *errs.Error
	Used     selfreport.Usage // with Done
}

// A child is one process that drives an engine of its own.
type child struct {
	command *exec.Cmd
	input   io.WriteCloser
	orders  *gob.Encoder
	replies *gob.Decoder

	connections int64        // that it is to hold
	done        atomic.Int64 // how far it said it is
}

// spawn starts this very program once more. The kernel ends it when the thread that started it ends, so the caller must be
// locked to a thread that stays.
func spawn(first order) (*child, error) {
	if os.Getenv(marker) != "" { // a program that does not serve Command would start itself without end
		return nil, errors.New("a process of a group may not begin another group")
	}
	command := exec.Command("/proc/self/exe", Command)
	command.Args[0] = os.Args[0]
	command.Stderr = os.Stderr
	command.Env = append(os.Environ(), marker+"=1")
	// A group of its own: Ctrl-C is for the parent, which ends its children in order.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	input, errIn := command.StdinPipe()
	output, errOut := command.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		return nil, fmt.Errorf("start a process: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, errs.New(errs.Budget, "processes", fmt.Sprintf("This host does not let the generator start another process: %v.", err),
			"Raise the limit of processes (ulimit -u), or spread the load over more clients.")
	}
	c := &child{command: command, input: input, orders: gob.NewEncoder(input), replies: gob.NewDecoder(output)}
	if err := c.orders.Encode(first); err != nil {
		return c, c.died(err)
	}
	return c, nil
}

// hear reads one reply, and before it how far the child is; what it could not do is the error.
func (c *child) hear() (reply, error) {
	for {
		var r reply
		switch err := c.replies.Decode(&r); {
		case err != nil:
			return r, c.died(err)
		case r.Failure != nil: // and not a nil in an interface
			return r, r.Failure
		case !r.IsOn:
			return r, nil
		}
		c.done.Store(r.Progress)
	}
}

func (c *child) died(err error) error {
	how := err.Error()
	_ = c.input.Close()                                           // should it still be there, it ends now
	if c.command.Wait() != nil && c.command.ProcessState != nil { // it says by what
		how = c.command.ProcessState.String()
	}
	return errs.New(errs.Internal, "process", fmt.Sprintf("The generator's process %d is gone: %s.", c.command.Process.Pid, how),
		"Look in the kernel's log for what ended it (out of memory?), and repeat the trial.")
}

// Serve is the life of a child: orders from in, replies to out, until the end of its input. It returns the exit code.
func Serve(in io.Reader, out io.Writer) int {
	runtime.LockOSThread()
	runtime.GOMAXPROCS(2)
	orders, replies := gob.NewDecoder(in), gob.NewEncoder(out)
	var mu sync.Mutex // of replies
	say := func(r reply, err error) {
		if err != nil {
			r = reply{Failure: errs.From(err)}
		}
		mu.Lock()
		defer mu.Unlock()
		_ = replies.Encode(r) // a parent that is gone ends the input too
	}
	var first order
	if orders.Decode(&first) != nil {
		return 1
	}
	var e engine.Engine
	err := selfreport.Pin(first.CPUs)
	if err == nil {
		e, err = engines.Make(first.Config, first.Engine)
	}
	say(reply{}, err)
	if err != nil {
		return 1
	}
	work := make(chan order, 1)
	go func() { // beside the engine's thread, so that stop is heard at once
		defer close(work)
		defer e.Stop()
		for o := (order{}); orders.Decode(&o) == nil; o = (order{}) {
			if o.Name == "stop" {
				e.Stop()
			} else {
				work <- o
			}
		}
	}()
	var isBusy atomic.Bool
	go func() {
		for range time.Tick(time.Second) {
			if n := e.Progress(); isBusy.Load() {
				say(reply{IsOn: true, Progress: n}, nil)
			}
		}
	}()
	for o := range work {
		isBusy.Store(o.Name != "run") // that has its intervals
		obey(e, o, say)
		isBusy.Store(false)
	}
	e.Close()
	return 0
}

// obey carries out one order on the engine's thread.
func obey(e engine.Engine, o order, say func(reply, error)) {
	switch o.Name {
	case "arm":
		armed, err := e.Arm(o.Total, o.At)
		selfreport.Quiet()
		say(reply{Armed: armed}, err)
	case "prove":
		say(reply{Proved: e.Prove(o.At)}, nil)
	case "run":
		before := selfreport.Used()
		done, err := e.Run(o.At, func(i engine.Interval) {
			say(reply{Interval: &i}, nil)
			i.Recycle()
		})
		say(reply{Done: &done, Used: selfreport.Used().Since(before)}, err)
	}
}
