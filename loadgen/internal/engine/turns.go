package engine

import "c10k/loadgen/internal/pacing"

// A Ring is a bounded queue of connections that wait for their turns, in the order of these.
type Ring struct {
	turns       []Turn
	head, count int
}

// A Turn says when something is due on a connection.
type Turn struct {
	Connection int32
	Due        int64 // ns
}

// NewRing makes one with room for so many.
func NewRing(most int) Ring { return Ring{turns: make([]Turn, most)} }

// Push adds a turn that is due no earlier than those before it.
func (r *Ring) Push(t Turn) {
	r.turns[(r.head+r.count)%len(r.turns)] = t
	r.count++
}

// Pop takes the first.
func (r *Ring) Pop() Turn {
	t := r.turns[r.head]
	r.head = (r.head + 1) % len(r.turns)
	r.count--
	return t
}

// Len is how many wait.
func (r *Ring) Len() int { return r.count }

// Due is when the first may go, in ns.
func (r *Ring) Due() int64 {
	if r.count == 0 {
		return pacing.Never
	}
	return r.turns[r.head].Due
}

// Room is how many may wait at once.
func (r *Ring) Room() int { return len(r.turns) }
