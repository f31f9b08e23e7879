package engine

import (
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// Armed says how the connecting went.
type Armed struct {
	Connected  int              `json:"connected"` // connections whose handshake was completed
	Verified   int              `json:"verified"`  // connections that answered their echo and are open
	Failed     map[string]int64 `json:"failed"`
	Retries    int64            `json:"retries"` // attempts beyond the first of each connection
	Strange    []byte           `json:"-"`       // how the first reply began that was not the record asked for
	SYNRetries [3]int64         `json:"-"`       // handshakes of 1 s or more, of 3 s, of 7 s: as long as so many lost SYNs take
}

// Proved says how many of the connections still open answered.
type Proved struct {
	Verified int `json:"verified"`
	Failed   int `json:"failed"`
}

// Integrity says what was wrong with the replies that were not the expected record (docs/contracts.md).
type Integrity struct {
	Corrupt    int64 `json:"corrupt"`
	Truncated  int64 `json:"truncated"`
	Duplicated int64 `json:"duplicated"`
	Reordered  int64 `json:"reordered"`
	Crossed    int64 `json:"crossed"`
	Foreign    int64 `json:"foreign"`
	Incomplete int64 `json:"incomplete"`
	Late       int64 `json:"late"`
}

// Plus is the sum of both.
func (a Integrity) Plus(b Integrity) Integrity {
	return Integrity{a.Corrupt + b.Corrupt, a.Truncated + b.Truncated, a.Duplicated + b.Duplicated, a.Reordered + b.Reordered,
		a.Crossed + b.Crossed, a.Foreign + b.Foreign, a.Incomplete + b.Incomplete, a.Late + b.Late}
}

// Blame counts a whole reply that is not the record want: got is what it says, or err that it is no record. Unasked: no request
// waited for it.
func (a *Integrity) Blame(got wire.Header, err error, want wire.Header, unasked bool) {
	switch {
	case err != nil:
		a.Corrupt++
	case got.Run != want.Run:
		a.Foreign++
	case got.Connection != want.Connection:
		a.Crossed++
	case got.Sequence < want.Sequence:
		a.Duplicated++
	case got.Sequence > want.Sequence || unasked:
		a.Reordered++
	default:
		a.Corrupt++ // its place is right, something else is not, and the checksum was made to fit
	}
}

// Ceiling is what a calibration found.
type Ceiling struct {
	Sends int64 `json:"sends"`
	Wall  int64 `json:"wall_ns"`
	CPU   int64 `json:"cpu_ns"` // of the engine's thread
}

// Done is what a trial's load amounts to.
type Done struct {
	FirstSend   int64 `json:"-"` // ns; 0: nothing was sent
	LastSend    int64 `json:"-"`
	LastReply   int64 `json:"-"` // ns, within the load; 0: nothing right came
	Left        int64 `json:"-"` // requests sent within the window, whenever they were due
	Connections `json:"connections"`
	Surplus     int64 `json:"surplus"` // bytes that no request asked for
	Totals      `json:"totals"`
	Service     *hist.Histogram `json:"service"`
	Lag         *hist.Histogram `json:"lag"`
	Connect     *hist.Histogram `json:"connect"`
	LoopLag     *hist.Histogram `json:"loop_lag"` // how late the loop woke or came round, once a turn
	Integrity   Integrity       `json:"integrity"`
	SendGaps    []int64         `json:"-"` // ns between consecutive sends of the window, a sample spread over it
	Ceiling     *Ceiling        `json:"ceiling"`
	Errors      []errs.Row      `json:"errors"`
	MaxLoopGap  time.Duration   `json:"-"` // the longest the loop did not look, though it should have
}

// Connections says how many were armed, are still open, and were lost.
type Connections struct {
	Armed int `json:"armed"`
	Open  int `json:"open"`
	Lost  int `json:"lost"`
}

// Totals are the counts of the warm-up and of the window.
type Totals struct {
	Warmup Counts `json:"warmup"`
	Load   Counts `json:"load"`
}

// Accounts are what an engine has counted so far: connections, wrong replies, errors, and in the ledger the requests. The
// rules by which something counts stand here, once for both engines.
type Accounts struct {
	Armed     Armed
	Open      int // connections verified and not lost
	Connect   *hist.Histogram
	Surplus   int64
	Integrity Integrity
	Errors    errs.Tally
	NotArmed  errs.Tally // connections that arming gave up
	Ledger    *Ledger    // of the load; before it, one without intervals

	timeout int64 // ns
}

// NewAccounts opens those of a share.
func NewAccounts(c *Config) Accounts {
	return Accounts{Connect: hist.New(), timeout: int64(c.Timeout), Ledger: &Ledger{}}
}

// Connected counts a handshake of arming that took so many ns.
func (a *Accounts) Connected(took int64) {
	a.Armed.Connected++
	a.Connect.Record(took)
	for k := len(synRetries) - 1; k >= 0; k-- {
		if took >= synRetries[k] {
			a.Armed.SYNRetries[k]++
			break
		}
	}
}

// Verified counts a connection that answered its echo.
func (a *Accounts) Verified() {
	a.Armed.Verified++
	a.Open++
}

// Met keeps the beginning of the first wrong reply to arming, which is the rest of one that was right in its first bytes.
func (a *Accounts) Met(first, rest []byte) {
	if a.Armed.Strange == nil {
		began := append(append([]byte{}, first...), rest...)
		a.Armed.Strange = began[:min(len(began), wire.HeaderBytes)]
	}
}

// ArmedSoFar is the result of all calls of Arm together.
func (a *Accounts) ArmedSoFar() Armed {
	armed := a.Armed
	armed.Failed = a.NotArmed.Keys()
	return armed
}

// HoldsNone forgets the connection with which arming tried the server, for the workload holds none.
func (a *Accounts) HoldsNone() {
	a.Open = 0
	a.Connect.Reset() // it is to hold the connects of the window
}

// Settle decides the outcome of a request that was sent, once. Where it is answered, now is when its reply was read; a reply is
// late if nobody has looked since the request timed out.
func (a *Accounts) Settle(slot uint16, o Outcome, intended, sent, now int64) {
	if o == Answered {
		a.Ledger.Arrived(now)
		if now-intended >= a.timeout {
			o = TimedOut
			a.Integrity.Late++
		} else {
			s := &a.Ledger.slots[slot]
			s.response.Record(now - intended)
			if s.k >= a.Ledger.warmup {
				a.Ledger.Service.Record(now - sent)
			}
		}
	}
	a.Ledger.Settle(slot, o)
}

// Afterwards counts the whole reply, read at now, to a request that was settled without it: by the flags and the size of the record.
func (a *Accounts) Afterwards(wrong bool, flags uint8, size int, now int64) {
	switch {
	case wrong:
		a.Surplus += int64(size) // the request counts as timed out already, and nobody asked for this
	case flags == wire.Load:
		a.Integrity.Late++
		a.Ledger.Arrived(now)
	}
}

// A Rest is the state of a reply of which only a part has come.
type Rest struct {
	Intended int64 // ns, of its request
	Heard    int64 // ns, when the last byte of it was read
	Wrong    bool  // what came of it is not what was sent
}

// Undecided is until when, in ns, it is open whether a reply whose request has timed out goes on: until as long as the timeout
// after its last byte. Else it is 0.
func (a *Accounts) Undecided(r Rest, now int64) int64 {
	if out := r.Intended + a.timeout; !r.Wrong && out <= now && r.Heard <= out && now-r.Heard < a.timeout {
		return r.Heard + a.timeout
	}
	return 0
}

// CutShort accounts for a reply that has not become whole by the end of the load, if its request has timed out. The rest of it
// may still come if some has come since then, and lately, or if nobody waited to see (stopped).
func (a *Accounts) CutShort(r Rest, now int64, stopped bool) {
	out := r.Intended + a.timeout
	switch {
	case out > now:
	case r.Wrong:
		a.Integrity.Corrupt++
	case (r.Heard > out || stopped) && now-r.Heard < a.timeout:
		a.Integrity.Incomplete++
	default:
		a.Integrity.Truncated++
	}
}

// Broken accounts for a reply of which a part had come when its request timed out and its connection was given up for that.
func (a *Accounts) Broken(wrong bool) {
	if wrong {
		a.Integrity.Corrupt++
	} else {
		a.Integrity.Incomplete++
	}
}

// Torn accounts for a reply of which a part had come when its connection ended.
func (a *Accounts) Torn(wrong bool) {
	if wrong {
		a.Integrity.Corrupt++
	} else {
		a.Integrity.Truncated++
	}
}

// Done sums up a load that is over, on a loop that was so late and once as late as gap.
func (a *Accounts) Done(loopLag *hist.Histogram, gap int64) Done {
	g := a.Ledger
	return Done{FirstSend: g.FirstSend, LastSend: g.LastSend, LastReply: g.LastReply, Left: g.Left, Connections: Connections{a.Armed.Verified, a.Open, a.Armed.Verified - a.Open},
		Surplus: a.Surplus, Totals: Totals{g.Before, g.Window}, Service: g.Service, Lag: g.Lag, Connect: a.Connect, LoopLag: loopLag,
		Integrity: a.Integrity, SendGaps: g.gaps.kept, Errors: a.Errors.Rows(), MaxLoopGap: time.Duration(gap)}
}

const (
	// MostRetries is how often a handshake of arming is tried again.
	MostRetries = 3
	// Linger is how long, in ns, a load that is over waits at most to see whether replies go on of which a part has come.
	Linger = int64(3 * time.Second)
	// FirstBackoff is the rest before the first retry, in ns; each later one is twice as long.
	FirstBackoff = int64(100 * time.Millisecond)
	// Reconnect is the rest before the next request where each has its own connection and that could not be made, in ns: a
	// host without ports, or a server that refuses, must not make the engine spin.
	Reconnect = int64(50 * time.Millisecond)
)

// Passing tells whether a handshake that failed so may succeed later: it was refused, reset, or unanswered. What this host
// lacks, it will lack again. An errno of 0 is our own timeout.
func Passing(cause errs.Cause, errno unix.Errno) bool {
	return cause == errs.Refused || cause == errs.Reset || (cause == errs.Timeout && errno != 0)
}

// synRetries are what handshakes last that lost one SYN, two, or three: the kernel sends another after 1 s, 3 s and 7 s.
var synRetries = [3]int64{1 * second, 3 * second, 7 * second}
