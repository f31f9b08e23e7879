package engine

// Counts is what became of the requests that were meant for some time, and how many right replies came in that time. Once all
// are settled, Planned is the sum of the six from Answered to Failed, and of Sent, UnsentWaiting and UnsentLate.
type Counts struct {
	Planned       int64 `json:"planned"`
	Sent          int64 `json:"sent"`
	UnsentWaiting int64 `json:"unsent_waiting"` // its connection was busy or closed: the server's doing
	UnsentLate    int64 `json:"unsent_late"`    // it could have left: the generator's doing
	Arrived       int64 `json:"arrived"`        // right replies, read in this time, to whatever request
	Answered      int64 `json:"answered"`
	TimedOut      int64 `json:"timed_out"`
	Censored      int64 `json:"censored"`
	Dropped       int64 `json:"dropped"`
	Mismatched    int64 `json:"mismatched"`
	Failed        int64 `json:"failed"`
}

// Settled is how many of the planned have an outcome.
func (c *Counts) Settled() int64 {
	return c.Answered + c.TimedOut + c.Censored + c.Dropped + c.Mismatched + c.Failed
}

// Add adds what became of other requests.
func (c *Counts) Add(d *Counts) {
	c.Planned += d.Planned
	c.Sent += d.Sent
	c.UnsentWaiting += d.UnsentWaiting
	c.UnsentLate += d.UnsentLate
	c.Arrived += d.Arrived
	c.Answered += d.Answered
	c.TimedOut += d.TimedOut
	c.Censored += d.Censored
	c.Dropped += d.Dropped
	c.Mismatched += d.Mismatched
	c.Failed += d.Failed
}

// Unsent is how many never left, whosoever's doing that was.
func (c *Counts) Unsent() int64 { return c.UnsentWaiting + c.UnsentLate }
