package errs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCauseOf(t *testing.T) {
	for errno, want := range map[unix.Errno]Cause{
		unix.EMFILE: Descriptors, unix.ENFILE: Descriptors, unix.EADDRNOTAVAIL: Ports, unix.EADDRINUSE: Ports, unix.ENOMEM: Memory,
		unix.ENOBUFS: Memory, unix.ECONNREFUSED: Refused, unix.ECONNRESET: Reset, unix.EPIPE: Reset, unix.ETIMEDOUT: Timeout,
		unix.ENETUNREACH: Unreachable, unix.EHOSTUNREACH: Unreachable, unix.EPERM: Permission, unix.EACCES: Permission,
		unix.EINVAL: Other, 0: Other, 4095: Other,
	} {
		if got := CauseOf(errno); got != want {
			t.Errorf("%d (%v): %v, want %v", int(errno), errno, got, want)
		}
	}
}

func TestEveryNameIsGivenOnce(t *testing.T) {
	seen := map[string]bool{}
	for p := range phases {
		for c := range causes {
			key := Key(p, c)
			if strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || seen[key] {
				t.Errorf("phase %d, cause %d: %q", p, c, key)
			}
			seen[key] = true
		}
	}
}

func TestTally(t *testing.T) {
	var tally Tally
	tally.Add(Read, Reset, unix.ECONNRESET, 7)
	tally.Add(Read, Reset, unix.EPIPE, 8)
	tally.Add(Verify, PeerClosed, 0, 9)
	rows := tally.Rows()
	if len(rows) != 2 || rows[0].Errno != nil || rows[0].First != "connection 9: peer-closed" {
		t.Fatalf("%+v", rows)
	}
	if r := rows[1]; r.Count != 2 || *r.Errno != 104 || r.First != "connection 7: connection reset by peer" {
		t.Errorf("%+v", r)
	}
	if keys := tally.Keys(); len(keys) != 2 || keys["read/reset"] != 2 || keys["verify/peer-closed"] != 1 {
		t.Errorf("%v", keys)
	}
	if n := testing.AllocsPerRun(100, func() { tally.Add(Read, Reset, unix.EPIPE, 1) }); n != 0 {
		t.Errorf("Add allocates %v times", n)
	}
	if rows := new(Tally).Rows(); rows == nil || len(rows) != 0 {
		t.Errorf("an empty tally has rows %v; JSON needs [], not null", rows)
	}
}

func TestFrom(t *testing.T) {
	e := New(Budget, "ports", "Too many.", "Ask for fewer.")
	if got := From(fmt.Errorf("arm: %w", e)); got != e {
		t.Errorf("a wrapped error becomes %+v", got)
	}
	if got := From(errors.New("boom")); got.Phase != Internal || got.Message != "boom." || got.Remedy == "" {
		t.Errorf("a foreign error becomes %+v", got)
	}
}
