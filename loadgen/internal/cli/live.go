package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/report"
)

// A live line tells people once a second how far the run is. It reads what has been settled and never touches the engine.
type live struct {
	out      io.Writer // nil: quiet
	terminal bool
	begun    time.Time
	end      chan struct{}
	ticking  sync.WaitGroup

	mu       sync.Mutex
	doing    string
	last     *engine.Counts
	response *hist.Histogram // so far
	errors   int64           // so far
	width    int             // of what stands on the terminal's line
}

// newLive starts the line.
func newLive(out io.Writer, terminal bool) *live {
	l := &live{out: out, terminal: terminal, begun: time.Now(), response: hist.New(), end: make(chan struct{})}
	if out == nil {
		return l
	}
	l.ticking.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.show(l.line())
			case <-l.end:
				return
			}
		}
	})
	return l
}

// now says what is being done; it begins without figures.
func (l *live) now(format string, a ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doing, l.last = fmt.Sprintf(format, a...), nil
}

// settled takes one interval in.
func (l *live) settled(i report.Interval) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = &i.Counts
	l.errors += i.Settled() - i.Answered
	l.response.Add(i.Response)
}

func (l *live) line() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%4d s  %s", int(time.Since(l.begun).Seconds()), l.doing)
	if l.last == nil {
		return text
	}
	text += fmt.Sprintf("   sent %s/s   answered %s/s", grouped(l.last.Sent), grouped(l.last.Arrived))
	if l.response.Count() > 0 {
		text += fmt.Sprintf("   response p50 %s  p99 %s", span(l.response.Quantile(0.5)), span(l.response.Quantile(0.99)))
	}
	return text + fmt.Sprintf("   unanswered %s", grouped(l.errors))
}

// show writes one line, over the one before where there is a terminal.
func (l *live) show(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.terminal {
		_, _ = fmt.Fprintln(l.out, line)
		return
	}
	width := utf8.RuneCountInString(line)
	_, _ = fmt.Fprintf(l.out, "\r%s%s", line, strings.Repeat(" ", max(0, l.width-width)))
	l.width = width
}

// say writes a line that stays.
func (l *live) say(format string, a ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out != nil {
		l.clear()
		_, _ = fmt.Fprintf(l.out, format+"\n", a...)
	}
}

// clear takes the line off the terminal.
func (l *live) clear() {
	if l.width > 0 {
		_, _ = fmt.Fprintf(l.out, "\r%s\r", strings.Repeat(" ", l.width))
		l.width = 0
	}
}

// close ends the line.
func (l *live) close() {
	close(l.end)
	l.ticking.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
}
