// Package hostile makes clients that behave badly towards a server, beside a load that behaves well (docs/contracts.md, "Hostile
// clients"). It is plain Go, a goroutine for each connection: nothing here is on the path of a measured request.
package hostile

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/report"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

const (
	// FirstConnection numbers the records of hostile clients, far above those of any workload.
	FirstConnection = 1 << 31

	retryPause  = 200 * time.Millisecond // after a connect that failed
	roundPause  = 100 * time.Millisecond // before the next connection of the same client
	dialTimeout = 5 * time.Second
	waveTimeout = 5 * time.Second // for an echo of a storm
)

// kinds set the clients of a crowd to work.
var kinds = map[string]func(*Crowd, []*client){
	"slow_read": each(slowRead), "byte_writer": each(byteWriter), "half_close": each(halfClose), "reset": each(reset), "mute": each(mute),
	"storm": func(c *Crowd, clients []*client) { c.clients.Go(func() { c.storm(clients) }) }, // its clients act together
}

// each has every client behave by itself. A behaviour returns when the connection is of no more use, with the reason.
func each(behave func(*client, *net.TCPConn) error) func(*Crowd, []*client) {
	return func(c *Crowd, clients []*client) {
		for _, client := range clients {
			c.clients.Go(func() { client.live(behave) })
		}
	}
}

// Config says what clients, how many, from where and to where.
type Config struct {
	Kind         string
	Connections  int
	Targets      []netip.AddrPort
	Sources      []netip.Addr // empty: the kernel chooses
	PayloadBytes int
	Run          uint32
	Seed         uint64
}

// A Crowd is hostile clients at work.
type Crowd struct {
	cfg     Config
	ctx     context.Context
	cancel  context.CancelFunc
	clients sync.WaitGroup
	dialers engine.Dialers

	mu   sync.Mutex // of slab's header
	slab []byte     // a record, whose filler is the same for all

	opened, refused, reset, bytesOut, bytesIn, whole, wrong atomic.Int64
}

// Start sets the clients to work. The share that they belong to has been checked.
func Start(cfg Config) *Crowd {
	c := &Crowd{cfg: cfg, dialers: engine.NewDialers(cfg.Sources, cfg.Targets), slab: wire.NewBuffer(cfg.PayloadBytes, cfg.Seed)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	clients := make([]*client, cfg.Connections)
	for i := range clients {
		clients[i] = &client{Crowd: c, i: i}
	}
	kinds[cfg.Kind](c, clients)
	return c
}

// Stop resets every connection, waits until none is left and says what became of them.
func (c *Crowd) Stop() report.Hostile {
	c.cancel()
	c.clients.Wait()
	return report.Hostile{
		Kind: c.cfg.Kind, Connections: c.cfg.Connections, Opened: c.opened.Load(), Refused: c.refused.Load(), Reset: c.reset.Load(),
		BytesOut: c.bytesOut.Load(), BytesIn: c.bytesIn.Load(), Whole: c.whole.Load(), Wrong: c.wrong.Load(),
	}
}

// pause waits, and tells whether there is reason to go on.
func (c *Crowd) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// A client is one of the crowd, through all its connections.
type client struct {
	*Crowd
	i        int
	sequence uint32 // of its next record
}

func (c *client) live(behave func(*client, *net.TCPConn) error) {
	for c.ctx.Err() == nil {
		conn, hangUp := c.connect()
		if conn == nil {
			c.pause(retryPause)
			continue
		}
		c.blame(behave(c, conn))
		hangUp()
		c.pause(roundPause)
	}
}

// connect opens a connection that is reset when hangUp is called or the crowd is stopped; hangUp returns when it is closed.
func (c *client) connect() (conn *net.TCPConn, hangUp func()) {
	ctx, cancel := context.WithTimeout(c.ctx, dialTimeout)
	defer cancel()
	conn, err := c.dialers.Dial(ctx, c.i)
	if err != nil {
		c.blame(err)
		return nil, nil
	}
	c.opened.Add(1)
	_ = conn.SetLinger(0) // so that closing resets
	closed := make(chan struct{})
	forget := context.AfterFunc(c.ctx, func() { _ = conn.Close(); close(closed) })
	return conn, func() {
		if forget() {
			_ = conn.Close()
		} else {
			<-closed
		}
	}
}

// blame counts what the server did to a connection, unless it was we who ended it.
func (c *client) blame(err error) {
	switch {
	case err == nil || c.ctx.Err() != nil:
	case errors.Is(err, errWrong):
		c.wrong.Add(1)
	case errors.Is(err, unix.ECONNREFUSED):
		c.refused.Add(1)
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		c.reset.Add(1)
	}
}
