package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"
)

const (
	bytePause     = 10 * time.Millisecond // between the bytes of byte_writer, and before a reset
	readPause     = time.Second           // between the bytes that slow_read takes
	stormPause    = time.Second           // between storms
	halfCloseSize = 16                    // records of a round
	chunkBytes    = 4096                  // read at once
	batchBytes    = 16384                 // of records that slow_read writes at once, unless one is larger
)

// errWrong is a round whose echoes were not what was sent, or that ended before all had come.
var errWrong = errors.New("not the echo of what was sent")

// A header stands for a record: the filler behind it is the same in all.
type header [wire.HeaderBytes]byte

// next is the header of this client's next record.
func (c *client) next() (h header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wire.Encode(c.slab, wire.Header{Run: c.cfg.Run, Connection: FirstConnection + uint32(c.i), Sequence: c.sequence,
		Intended: uint64(engine.Monotonic())})
	c.sequence++
	copy(h[:], c.slab)
	return h
}

func (c *client) filler() []byte { return c.slab[wire.HeaderBytes:] }

func (c *client) write(conn *net.TCPConn, b []byte) error {
	n, err := conn.Write(b)
	c.bytesOut.Add(int64(n))
	return err
}

func (c *client) writeRecord(conn *net.TCPConn, h header) error {
	parts := net.Buffers{h[:], c.filler()}
	n, err := parts.WriteTo(conn)
	c.bytesOut.Add(n)
	return err
}

// expect reads what must come next.
func (c *client) expect(conn *net.TCPConn, want []byte) error {
	chunk := make([]byte, min(chunkBytes, len(want)))
	for len(want) > 0 {
		n, err := conn.Read(chunk[:min(len(chunk), len(want))])
		c.bytesIn.Add(int64(n))
		if !bytes.Equal(chunk[:n], want[:n]) {
			return errWrong
		}
		want = want[n:]
		if err == io.EOF && len(want) > 0 {
			return fmt.Errorf("%w: %d bytes are missing", errWrong, len(want))
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

func (c *client) expectRecord(conn *net.TCPConn, h header) error {
	if err := c.expect(conn, h[:]); err != nil {
		return err
	}
	return c.expect(conn, c.filler())
}

// slowRead fills every buffer between it and the server.
func slowRead(c *client, conn *net.TCPConn) error {
	_ = conn.SetReadBuffer(chunkBytes)
	var writing sync.WaitGroup
	defer writing.Wait()
	failed := make(chan error, 1)
	writing.Go(func() {
		batch := make([]byte, 0, max(batchBytes, c.cfg.PayloadBytes))
		for {
			for batch = batch[:0]; len(batch) == 0 || len(batch)+c.cfg.PayloadBytes <= batchBytes; {
				h := c.next()
				batch = append(append(batch, h[:]...), c.filler()...)
			}
			if err := c.write(conn, batch); err != nil {
				failed <- err
				return
			}
		}
	})
	// A writer that still waits for room is let go by closing, here or by Stop.
	defer func() { _ = conn.Close() }()
	tick := time.NewTicker(readPause)
	defer tick.Stop()
	one := make([]byte, 1)
	for {
		select {
		case err := <-failed:
			return err
		case <-tick.C:
		}
		n, err := conn.Read(one)
		c.bytesIn.Add(int64(n))
		if err != nil {
			return err
		}
	}
}

// byteWriter makes the server wake for each byte.
func byteWriter(c *client, conn *net.TCPConn) error {
	for {
		h := c.next()
		for i := range c.cfg.PayloadBytes {
			b := c.slab[i : i+1]
			if i < len(h) {
				b = h[i : i+1]
			}
			if err := c.write(conn, b); err != nil || !c.pause(bytePause) {
				return err
			}
		}
		if err := c.expectRecord(conn, h); err != nil {
			return err
		}
		c.whole.Add(1)
	}
}

// halfClose still wants its answers after it has said that it will say no more. It reads while it writes: a server that waits for
// its reader would otherwise never be done.
func halfClose(c *client, conn *net.TCPConn) error {
	var headers [halfCloseSize]header
	for i := range headers {
		headers[i] = c.next()
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		for _, h := range headers {
			if c.writeRecord(conn, h) != nil {
				return // the reader meets the same
			}
		}
		_ = conn.CloseWrite()
	})
	defer writing.Wait()
	defer func() { _ = conn.Close() }()
	for _, h := range headers {
		if err := c.expectRecord(conn, h); err != nil {
			return err
		}
	}
	n, err := conn.Read(make([]byte, 1))
	c.bytesIn.Add(int64(n))
	if n > 0 {
		return fmt.Errorf("%w: more than all", errWrong)
	}
	if err != io.EOF {
		return err
	}
	c.whole.Add(1)
	return nil
}

// reset goes away in the middle of a record that the server has begun to read.
func reset(c *client, conn *net.TCPConn) error {
	h := c.next()
	half := c.cfg.PayloadBytes / 2
	err := c.write(conn, h[:min(half, len(h))])
	if err == nil && half > len(h) {
		err = c.write(conn, c.slab[len(h):half])
	}
	c.pause(bytePause)
	return err
}

// mute says nothing and waits to see how long it is borne.
func mute(c *client, conn *net.TCPConn) error {
	chunk := make([]byte, chunkBytes)
	for {
		n, err := conn.Read(chunk)
		c.bytesIn.Add(int64(n))
		if err != nil {
			return err
		}
	}
}

// storm lets all connect at once, waits until each has its echo or has failed, resets all, and comes again.
func (c *Crowd) storm(clients []*client) {
	for c.ctx.Err() == nil {
		var wave sync.WaitGroup
		hangUps := make([]func(), len(clients))
		for i, client := range clients {
			wave.Go(func() { hangUps[i] = client.gust() })
		}
		wave.Wait()
		for _, hangUp := range hangUps {
			if hangUp != nil {
				hangUp()
			}
		}
		c.pause(stormPause)
	}
}

// gust is one client's part of a storm; it leaves the connection open.
func (c *client) gust() (hangUp func()) {
	conn, hangUp := c.connect()
	if conn == nil {
		return nil
	}
	_ = conn.SetDeadline(time.Now().Add(waveTimeout))
	h := c.next()
	err := c.writeRecord(conn, h)
	if err == nil {
		err = c.expectRecord(conn, h)
	}
	if err == nil {
		c.whole.Add(1)
	}
	c.blame(err)
	return hangUp
}
