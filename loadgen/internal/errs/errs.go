// Package errs names what went wrong by phase and cause, never by the text of an error, and says what mends it.
package errs

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// A Phase is what was being done.
type Phase uint8

// The phases of a connection and of an agent.
const (
	Spec Phase = iota
	Budget
	Connect
	Verify
	Write
	Read
	Start
	Protocol
	Internal
	phases
)

var phaseNames = [phases]string{"spec", "budget", "connect", "verify", "write", "read", "start", "protocol", "internal"}

func (p Phase) String() string { return phaseNames[p] }

// MarshalText gives its name to JSON.
func (p Phase) MarshalText() ([]byte, error) { return []byte(phaseNames[p]), nil }

// A Cause is why it failed.
type Cause uint8

// The causes that are told apart.
const (
	Other Cause = iota
	Descriptors
	Ports
	Source
	Memory
	Refused
	Reset
	PeerClosed
	Timeout
	Unreachable
	Permission
	Mismatched
	causes
)

var causeNames = [causes]string{"other", "descriptors", "ports", "source", "memory", "refused", "reset", "peer-closed", "timeout",
	"unreachable", "permission", "mismatched"}

func (c Cause) String() string { return causeNames[c] }

// CauseOf is the cause that an errno of a socket call means.
func CauseOf(errno unix.Errno) Cause {
	switch errno {
	case unix.EMFILE, unix.ENFILE:
		return Descriptors
	case unix.EADDRNOTAVAIL, unix.EADDRINUSE:
		return Ports
	case unix.ENOMEM, unix.ENOBUFS, unix.ENOSPC:
		return Memory
	case unix.ECONNREFUSED:
		return Refused
	case unix.ECONNRESET, unix.EPIPE, unix.ECONNABORTED:
		return Reset
	case unix.ETIMEDOUT:
		return Timeout
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.ENONET:
		return Unreachable
	case unix.EACCES, unix.EPERM:
		return Permission
	}
	return Other
}

// Key is how a failure is named in the `failed` field of `armed`.
func Key(p Phase, c Cause) string { return p.String() + "/" + c.String() }

// A Tally counts failures by phase and cause and remembers the first of each. Adding neither allocates nor formats.
type Tally struct {
	entries [phases][causes]entry
}

type entry struct {
	count      int64
	errno      unix.Errno
	connection uint32
}

// Add counts one failure of a connection; errno is 0 where no system call failed.
func (t *Tally) Add(p Phase, c Cause, errno unix.Errno, connection uint32) {
	e := &t.entries[p][c]
	if e.count == 0 {
		e.errno, e.connection = errno, connection
	}
	e.count++
}

// A Row is one line of the errors in `done`.
type Row struct {
	Phase string `json:"phase"`
	Cause string `json:"cause"`
	Blame string `json:"blame"` // generator, host, network or server
	Errno *int   `json:"errno"` // null where no system call failed
	Count int64  `json:"count"`
	First string `json:"first"`
}

// Rows lists what was counted, in the order of the phases.
func (t *Tally) Rows() []Row {
	rows := []Row{}
	for p := range phases {
		for c := range causes {
			e := &t.entries[p][c]
			if e.count == 0 {
				continue
			}
			var errno *int
			first := c.String()
			if e.errno != 0 {
				n := int(e.errno)
				errno, first = &n, e.errno.Error()
			}
			rows = append(rows, Row{p.String(), c.String(), Blame(p, c), errno, e.count, fmt.Sprintf("connection %d: %s", e.connection, first)})
		}
	}
	return rows
}

// ByHost is the blame of what the machine of the generator lacks.
const ByHost = "host"

// Blame is whose doing a failure usually is: the generator's own, that of the host it runs on, of the network between, or of
// the server. A handshake without an answer is the server's: a full accept queue drops what comes, and says nothing.
func Blame(p Phase, c Cause) string {
	switch p {
	case Spec, Start, Protocol, Internal:
		return "generator"
	case Budget:
		return ByHost
	}
	switch c {
	case Descriptors, Ports, Source, Memory, Permission:
		return ByHost
	case Unreachable:
		return "network"
	}
	return "server"
}

// Merge adds rows of the same phase and cause, in the order of the phases; the first example of the first stays.
func Merge(rows []Row) []Row {
	merged := []Row{}
	for _, row := range rows {
		i := slices.IndexFunc(merged, func(m Row) bool { return m.Phase == row.Phase && m.Cause == row.Cause })
		if i < 0 {
			merged = append(merged, row)
		} else {
			merged[i].Count += row.Count
		}
	}
	place := func(r Row) int {
		return slices.Index(phaseNames[:], r.Phase)*len(causeNames) + slices.Index(causeNames[:], r.Cause)
	}
	slices.SortFunc(merged, func(a, b Row) int { return place(a) - place(b) })
	return merged
}

// Keys gives the counts by phase/cause, without those that are 0.
func (t *Tally) Keys() map[string]int64 {
	keys := map[string]int64{}
	for _, row := range t.Rows() {
		keys[row.Phase+"/"+row.Cause] = row.Count
	}
	return keys
}

// An Error is what a person is told: where, why, in one sentence, and what to do about it.
type Error struct {
	Phase   Phase  `json:"phase"`
	Cause   string `json:"cause"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

func (e *Error) Error() string { return e.Message + " " + e.Remedy }

// New makes an Error.
func New(p Phase, cause, message, remedy string) *Error {
	return &Error{Phase: p, Cause: cause, Message: message, Remedy: remedy}
}

// From makes an Error of anything: itself where it already is one, else an internal one.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return New(Internal, "other", err.Error()+".", "Report this with the agent's log.")
}
