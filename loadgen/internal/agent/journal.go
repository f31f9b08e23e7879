package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/selfreport"
)

const (
	queueLines = 1024            // events that may wait for the reader of stdout
	flushTime  = 1 * time.Second // for what waits there at the end
)

// A journal writes each event to the agent's file and queues it for stdout. The queue is bounded: whoever does not read
// loses events, which are then counted, and never holds the agent up.
type journal struct {
	mu      sync.Mutex
	file    *os.File
	lines   int64
	closed  bool
	broken  bool // the file could not be written, and that was said
	queue   chan []byte
	dropped atomic.Int64
	written chan struct{} // closed when the writer of stdout has ended
}

// newJournal begins the file at path, and calls cut if stdout has no reader any more.
func newJournal(path string, s *Spec, stdout io.Writer, cut func(error)) (*journal, error) {
	file, err := os.Create(path) // #nosec G304 -- agent.jsonl of the trial's directory, as this same user
	if err != nil {
		return nil, fmt.Errorf("begin the agent's journal: %w", err)
	}
	j := &journal{file: file, queue: make(chan []byte, queueLines), written: make(chan struct{})}
	header := struct {
		Header  int    `json:"header"`
		File    string `json:"file"`
		Version int    `json:"version"`
		Run     string `json:"run"`
		Host    string `json:"host"`
		Trial   int    `json:"trial"`
		T       int64  `json:"t"`
		UTC     string `json:"utc"`
	}{1, "agent", 1, s.Run, s.Host, s.Trial, engine.Monotonic(), time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")}
	if _, err := file.Write(line(header)); err != nil {
		return nil, fmt.Errorf("begin the agent's journal: %w", err)
	}
	go j.feed(stdout, cut)
	return j, nil
}

func line(event any) []byte {
	b, err := json.Marshal(event)
	if err != nil { // our own structs always marshal
		panic(err)
	}
	return append(b, '\n')
}

// emit says an event. It is whole in the file before anybody can read it on stdout.
func (j *journal) emit(event any) { j.write(event, j.keep, j.enqueue) }

// answer says an event whose asker takes the time: stdout comes before the file.
func (j *journal) answer(event any) { j.write(event, j.enqueue, j.keep) }

func (j *journal) write(event any, first, then func([]byte)) {
	b := line(event)
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closed {
		first(b)
		then(b)
	}
}

func (j *journal) enqueue(b []byte) {
	select {
	case j.queue <- b:
	default:
		j.dropped.Add(1)
	}
}

func (j *journal) keep(b []byte) {
	if _, err := j.file.Write(b); err == nil {
		j.lines++
	} else if !j.broken {
		j.broken = true
		j.enqueue(line(failure{"error", errs.New(errs.Internal, "files", fmt.Sprintf("The agent's journal cannot be written: %v.", err),
			"Make room on the disk that holds "+j.file.Name()+".")}))
	}
}

// feed feeds stdout until the queue is closed.
func (j *journal) feed(stdout io.Writer, cut func(error)) {
	defer close(j.written)
	failed := false
	for b := range j.queue {
		if failed {
			continue // the end is near; nobody must wait for the queue
		}
		if n := j.dropped.Swap(0); n > 0 {
			b = append(b, line(map[string]any{"event": "dropped", "lines": n})...)
		}
		if _, err := stdout.Write(b); err != nil {
			failed = true
			cut(err)
		}
	}
}

// close ends the file with its trailer and gives stdout a moment to take what waits.
func (j *journal) close() {
	j.mu.Lock()
	j.closed = true
	close(j.queue)
	trailer := struct {
		Trailer int   `json:"trailer"`
		Lines   int64 `json:"lines"`
		T       int64 `json:"t"`
	}{1, j.lines, engine.Monotonic()}
	_, _ = j.file.Write(line(trailer)) // a file without it was cut, and readers know
	_ = j.file.Close()
	j.mu.Unlock()
	select {
	case <-j.written:
	case <-time.After(flushTime):
	}
}

// The events that only an agent has, in the order of their fields in docs/contracts.md; the others are in package report. Times are CLOCK_MONOTONIC ns of this host.

type hello struct {
	Event       string `json:"event"`
	Version     int    `json:"version"`
	Host        string `json:"host"`
	PID         int    `json:"pid"`
	Role        string `json:"role"`
	T           int64  `json:"t"`
	Descriptors uint64 `json:"descriptors"`
}

type failure struct {
	Event string `json:"event"`
	*errs.Error
}

type progressed struct {
	Event string `json:"event"`
	Of    string `json:"of"`   // order
	Done  int64  `json:"done"` // connections
}

type own struct {
	Event string `json:"event"`
	T     int64  `json:"t"`
	selfreport.Own
}

type proved struct {
	Event string `json:"event"`
	engine.Proved
}
