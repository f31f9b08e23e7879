package epoll

import (
	"fmt"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/hist"

	"golang.org/x/sys/unix"
)

const (
	eventsPerWait = 512 // replies that share one reading of the clock
	timerSlack    = 1   // ns, so that the kernel does not gather our wake-ups with others
)

// A watch waits for events, keeps the time, and knows how late it was.
type watch struct {
	ep      int
	coarse  bool // no epoll_pwait2, which is there since Linux 5.11
	bell    int  // an eventfd
	events  []unix.EpollEvent
	asked   int64 // ns, read right before the last wait
	now     int64 // ns, read right after it
	late    int64 // ns, the lateness of the last wait
	maxGap  int64 // ns
	loopLag *hist.Histogram
}

func newWatch() (watch, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return watch{}, fmt.Errorf("make an epoll: %w", err)
	}
	bell, err := newBell(ep)
	if err != nil {
		_ = unix.Close(ep)
		return watch{}, err
	}
	return watch{ep: ep, bell: bell, events: make([]unix.EpollEvent, eventsPerWait),
		loopLag: hist.New()}, nil
}

// begin readies the thread and the clock for a phase.
func (w *watch) begin() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlack, 0, 0, 0) // coarser timers are no reason to give up
	w.now = engine.Monotonic()
}

// await returns the events that came until deadline. It keeps the longest time that the loop was busy, or asleep beyond its
// deadline: as late as that can a send or a reading of the clock have been.
func (w *watch) await(deadline int64) []unix.EpollEvent {
	before := engine.Monotonic()
	w.asked = before
	n, errno := w.wait(w.events, deadline-before)
	busy := before - w.now
	w.now = engine.Monotonic()
	w.late = max(busy, w.now-max(deadline, before))
	w.maxGap = max(w.maxGap, w.late)
	w.loopLag.Record(w.late)
	if errno != 0 { // EINTR; the others would be defects of ours, and the deadlines still end the phase
		return nil
	}
	return w.events[:n]
}

// away is for how long the loop has not looked, in ns: before its last wait, in it beyond its deadline, or since.
func (w *watch) away() int64 { return max(w.late, engine.Monotonic()-w.now) }

// punctual forgets how late it was: the wait for the start is no lateness.
func (w *watch) punctual() {
	w.maxGap = 0
	w.loopLag.Reset()
}

func (w *watch) close() {
	_ = unix.Close(w.ep)
	_ = unix.Close(w.bell)
}
