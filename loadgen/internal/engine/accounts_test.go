package engine

import (
	"testing"
	"time"
)

func TestSYNRetriesAreToldByTheirTime(t *testing.T) {
	a := NewAccounts(&Config{})
	for _, took := range []time.Duration{999 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 6 * time.Second,
		7 * time.Second, 15 * time.Second} {
		a.Connected(int64(took))
	}
	if got := a.ArmedSoFar(); got.SYNRetries != [3]int64{2, 2, 2} || got.Connected != 7 || a.Connect.Count() != 7 {
		t.Errorf("%+v of %d", got, a.Connect.Count())
	}
}
