package epoll

import "c10k/loadgen/internal/wire"

// A strangers keeps what is being received that is not what was sent, by connection.
type strangers map[int32]*wire.Reader

// reader is that of a connection, made when first asked for.
func (s strangers) reader(i int32) *wire.Reader {
	r := s[i]
	if r == nil {
		r = &wire.Reader{}
		s[i] = r
	}
	return r
}

// forget drops what was gathered of a connection, if anything was.
func (s strangers) forget(i int32, c *connection) {
	if c.wrong || c.stray {
		delete(s, i)
		c.wrong, c.stray = false, false
	}
}
