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
		unix.ENOSPC: Memory, unix.ECONNABORTED: Reset, unix.ENETDOWN: Unreachable, unix.EHOSTDOWN: Unreachable,
		unix.ENONET: Unreachable, unix.ENETUNREACH: Unreachable, unix.EHOSTUNREACH: Unreachable, unix.EPERM: Permission, unix.EACCES: Permission,
		unix.EINVAL: Other, 0: Other, 4095: Other,
	} {
		if got := CauseOf(errno); got != want {
			t.Errorf("%d (%v): %v, want %v", int(errno), errno, got, want)
		}
	}
}

func TestNamesAndBlame(t *testing.T) {
	blamed := map[string]string{}
	for p := range phases {
		for c := range causes {
			key := Key(p, c)
			if strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || blamed[key] != "" {
				t.Errorf("phase %d, cause %d: %q", p, c, key)
			}
			blamed[key] = Blame(p, c)
		}
	}
	for key, want := range map[string]string{
		"connect/descriptors": "host", "connect/ports": "host", "connect/source": "host", "write/memory": "host", "connect/permission": "host",
		"budget/ports": "host", "budget/other": "host", "connect/refused": "server", "connect/timeout": "server", "verify/timeout": "server",
		"verify/peer-closed": "server", "read/reset": "server", "read/peer-closed": "server", "read/mismatched": "server", "write/reset": "server",
		"connect/unreachable": "network", "read/unreachable": "network", "spec/other": "generator", "internal/other": "generator",
		"start/other": "generator", "protocol/other": "generator",
	} {
		if blamed[key] != want {
			t.Errorf("%s is the doing of %q, want %s", key, blamed[key], want)
		}
	}
	for key, who := range blamed {
		if who != "generator" && who != "host" && who != "network" && who != "server" {
			t.Errorf("%s: %q", key, who)
		}
	}
}

func TestMerge(t *testing.T) {
	var a, b Tally
	a.Add(Read, Reset, unix.ECONNRESET, 7)
	b.Add(Read, Reset, unix.ECONNRESET, 8)
	b.Add(Connect, Refused, unix.ECONNREFUSED, 9)
	rows := Merge(append(a.Rows(), b.Rows()...))
	if len(rows) != 2 || rows[0].Phase != "connect" || rows[1].Count != 2 || rows[1].First != "connection 7: connection reset by peer" {
		t.Errorf("%+v", rows)
	}
	if a.Rows()[0].Count != 1 {
		t.Error("merging changes what was merged")
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
