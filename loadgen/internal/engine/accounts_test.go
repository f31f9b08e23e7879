package engine

import (
	"testing"
	"time"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
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

// What this host lacks is not asked of it again, and neither is what our own timeout ended.
func TestOurOwnFaultsAreNotRetried(t *testing.T) {
	for errno, again := range map[unix.Errno]bool{unix.ECONNREFUSED: true, unix.ECONNRESET: true, unix.ETIMEDOUT: true,
		unix.EMFILE: false, unix.EADDRNOTAVAIL: false, unix.ENOMEM: false, unix.ENETUNREACH: false, unix.EACCES: false} {
		if got := Passing(errs.CauseOf(errno), errno); got != again {
			t.Errorf("%v is tried again: %v", errno, got)
		}
	}
	if Passing(errs.Timeout, 0) {
		t.Error("the end of arming is tried again")
	}
}
