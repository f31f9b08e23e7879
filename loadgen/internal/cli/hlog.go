package cli

import (
	"fmt"
	"os"
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/report"
)

// A latencyLog is the file of --hlog: one histogram a line, tagged by kind, times in seconds from the first request's.
type latencyLog struct {
	file *os.File // nil: none was asked for
	err  error    // the first; later lines are not tried
}

func newLatencyLog(path string) (*latencyLog, error) {
	if path == "" {
		return &latencyLog{}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, errs.New(errs.Spec, "hlog", fmt.Sprintf("The log of --hlog cannot be written: %v.", err), "Name a file that you may write.")
	}
	l := &latencyLog{file: file}
	now := time.Now().UTC()
	l.printf("#[Histogram log format version 1.3]\n#[nanoseconds; times count from the start of the load]\n"+
		"#[StartTime: %.3f (seconds since epoch), %s]\n"+
		"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
		float64(now.UnixMilli())/1e3, now.Format("2006-01-02T15:04:05.000Z"))
	return l, l.err
}

// add writes one histogram; start and length in s.
func (l *latencyLog) add(kind string, start, length int, encoded string) {
	h, err := decode(encoded)
	if err != nil || h == nil {
		return
	}
	top := int64(0)
	if h.TotalCount() > 0 {
		top = h.Max()
	}
	l.printf("Tag=%s,%d.000,%d.000,%.3f,%s\n", kind, start, length, float64(top)/1e6, encoded)
}

// finish adds the kinds of which there is one histogram for the whole window.
func (l *latencyLog) finish(d *report.Done, o *options) {
	l.add("lag", o.warmup, o.duration, d.Lag)
	l.add("service", o.warmup, o.duration, d.Service)
	l.add("loop_lag", 0, o.warmup+o.duration, d.LoopLag)
	l.add("connect", 0, 0, d.Connect)
}

func (l *latencyLog) printf(format string, a ...any) {
	if l.file != nil && l.err == nil {
		_, l.err = fmt.Fprintf(l.file, format, a...)
	}
}

func (l *latencyLog) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
