// Package hlog writes HDR histogram logs: one histogram a line, tagged by kind, its times in seconds from the start of the load.
package hlog

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/hist"
)

// A Log is one file. Nil: nobody wants one, and all methods do nothing.
type Log struct {
	file *os.File
	err  error // the first; later lines are not tried
}

// Create begins a file; about says in a comment what it holds.
func Create(path, about string) (*Log, error) {
	file, err := os.Create(path) // #nosec G304 -- of the trial's directory, or typed by who runs this
	if err != nil {
		return nil, fmt.Errorf("begin the latency log: %w", err)
	}
	now := time.Now().UTC()
	l := &Log{file: file}
	l.printf("#[Histogram log format version 1.3]\n#[%s; nanoseconds; times count from the start of the load]\n"+
		"#[StartTime: %.3f (seconds since epoch), %s]\n"+
		"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
		about, float64(now.UnixMilli())/1e3, now.Format("2006-01-02T15:04:05.000Z"))
	return l, l.err
}

// Add writes one histogram; start and length in s.
func (l *Log) Add(kind string, start, length int, h *hist.Histogram) {
	if l == nil {
		return
	}
	encoded, err := h.MarshalText()
	l.err = cmp.Or(l.err, err)
	l.printf("Tag=%s,%d.000,%d.000,%.3f,%s\n", kind, start, length, float64(h.Max())/1e6, encoded)
}

// Sum writes the kinds of which there is one histogram for the whole load; warmup and window in s.
func (l *Log) Sum(d *engine.Done, warmup, window int) {
	l.Add("lag", warmup, window, d.Lag)
	l.Add("service", warmup, window, d.Service)
	l.Add("loop_lag", 0, warmup+window, d.LoopLag)
	l.Add("connect", 0, 0, d.Connect)
}

// printf makes one write of it, so that a killed generator leaves whole lines.
func (l *Log) printf(format string, a ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.file, format, a...)
	}
}

// Err is the first failure to write.
func (l *Log) Err() error {
	if l == nil {
		return nil
	}
	return l.err
}

// Close closes the file.
func (l *Log) Close() {
	if l != nil {
		_ = l.file.Close()
	}
}
