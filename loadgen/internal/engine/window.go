package engine

// A Window bounds how many connections may be under way while arming at a given rate: begun, and neither verified nor given up.
// So a server that accepts more slowly than they come is waited for, rather than its queue filled until it overflows.
type Window struct {
	most, room int
	changed    int64 // ns
}

// NewWindow makes one that is open wide.
func NewWindow(most int) Window { return Window{most: most, room: most} }

// Room is how many may be under way.
func (w *Window) Room() int { return w.room }

// Stood notes that a handshake stood at now that took so long, in ns. Where that tells of a lost SYN the window halves, else it
// opens by a quarter; once a second at most, for it takes a second until a loss shows.
func (w *Window) Stood(took, now int64) {
	if now-w.changed < second {
		return
	}
	switch {
	case took >= synRetries[0]:
		w.room, w.changed = max(1, w.room/2), now
	case w.room < w.most:
		w.room, w.changed = min(w.most, w.room+w.room/4+1), now
	}
}
