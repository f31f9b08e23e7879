package engine

import "testing"

func TestAWindowHalvesWhereSYNsAreLostAndOpensAgain(t *testing.T) {
	w := NewWindow(1000)
	now := int64(10 * second)
	for _, step := range []struct {
		took, after int64
		room        int
	}{
		{second - 1, second, 1000}, // open wide already
		{second, 1, 500},
		{7 * second, second - 1, 500}, // lost with the one before
		{7 * second, 1, 250},
		{1, second - 1, 250}, // too early to know
		{1, 1, 313},
		{1, second, 392},
		{second, second, 196},
	} {
		now += step.after
		if w.Stood(step.took, now); w.Room() != step.room {
			t.Errorf("after %+v there is room for %d", step, w.Room())
		}
	}
	for range 20 {
		now += second
		w.Stood(3*second, now)
	}
	if w.Room() != 1 {
		t.Errorf("room for %d", w.Room())
	}
	for range 40 {
		now += second
		w.Stood(1, now)
	}
	if w.Room() != 1000 {
		t.Errorf("room for %d", w.Room())
	}
}

func TestManyProcessesShareWhatMayBeUnderWay(t *testing.T) {
	for processes, want := range map[int]int{0: 1024, 1: 1024, 2: 512, 17: 60, 1024: 8} {
		c := Config{AtOnce: processes}
		if got := c.UnderWay(ConnectsAtOnce); got != want {
			t.Errorf("%d processes: %d each, want %d", processes, got, want)
		}
	}
}
