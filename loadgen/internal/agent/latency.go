package agent

import (
	"fmt"
	"os"
	"time"

	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/report"
)

// A latencyLog is an HDR histogram log: one line a histogram, tagged by kind, its times in seconds from `go`.
type latencyLog struct {
	file *os.File
	err  error // the first; later lines are not tried
}

func newLatencyLog(path string, s *Spec) (*latencyLog, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("begin the latency log: %w", err)
	}
	now := time.Now().UTC()
	l := &latencyLog{file: file}
	l.printf("#[Histogram log format version 1.3]\n"+
		"#[run %s, trial %d, host %s; nanoseconds; times count from go]\n"+
		"#[StartTime: %.3f (seconds since epoch), %s]\n"+
		"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
		s.Run, s.Trial, s.Host, float64(now.UnixMilli())/1e3, now.Format("2006-01-02T15:04:05.000Z"))
	return l, l.err
}

// add writes one histogram; start and length in s, max in ns.
func (l *latencyLog) add(kind string, start, length int, maxNS int64, encoded string) {
	l.printf("Tag=%s,%d.000,%d.000,%.3f,%s\n", kind, start, length, float64(maxNS)/1e6, encoded)
}

// sum writes what was recorded over the whole load.
func (l *latencyLog) sum(d *report.Done, s *Spec) {
	for _, kind := range []struct {
		name, encoded string
		start, length int
	}{
		{"lag", d.Lag, s.Warmup, s.Duration}, {"service", d.Service, s.Warmup, s.Duration},
		{"loop_lag", d.LoopLag, 0, s.Warmup + s.Duration}, {"connect", d.Connect, 0, 0},
	} {
		var highest int64
		if h, err := hist.Decode(kind.encoded); err == nil { // we encoded it ourselves
			highest = h.Max()
		}
		l.add(kind.name, kind.start, kind.length, highest, kind.encoded)
	}
}

// printf makes one write of it, so that a killed agent leaves whole lines.
func (l *latencyLog) printf(format string, a ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.file, format, a...)
	}
}

func (l *latencyLog) close() { _ = l.file.Close() }
