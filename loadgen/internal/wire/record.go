// Package wire encodes the record that a generator sends and that must come back unchanged: 32 bytes of
// little-endian header, then filler that depends on the trial's seed alone (docs/contracts.md, "The record").
package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	// HeaderBytes is the size of the header and so the smallest record.
	HeaderBytes = 32
	// MaxBytes is the largest record.
	MaxBytes = 1 << 20

	magic    = 0xC10C
	version  = 1
	named    = 20 // run, connection and sequence stand before
	crcStart = 28 // the checksum covers what stands before it, and then the filler
)

// What a record is for; the flags field.
const (
	Load  = 0
	Arm   = 1
	Prove = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is what distinguishes one record of a trial from another.
type Header struct {
	Flags      uint8
	Run        uint32
	Connection uint32
	Sequence   uint32 // per connection, from 0
	Intended   uint64 // ns of the generator's CLOCK_MONOTONIC
}

// NewBuffer returns a record of size bytes whose filler is that of seed and whose header is still empty.
func NewBuffer(size int, seed uint64) []byte {
	record := make([]byte, size)
	fill(record[HeaderBytes:], seed)
	return record
}

// Encode writes h and the checksum over the first 32 bytes of record, whose filler already stands, and returns the
// checksum, with which Rewrite can restore the same header without reading the filler again.
func Encode(record []byte, h Header) uint32 {
	putFields(record, h)
	sum := checksum(record)
	binary.LittleEndian.PutUint32(record[crcStart:], sum)
	return sum
}

// Rewrite writes h with a checksum that Encode returned earlier for the same header and filler.
func Rewrite(record []byte, h Header, sum uint32) {
	putFields(record, h)
	binary.LittleEndian.PutUint32(record[crcStart:], sum)
}

func putFields(record []byte, h Header) {
	_ = record[HeaderBytes-1]
	binary.LittleEndian.PutUint16(record[0:], magic)
	record[2] = version
	record[3] = h.Flags
	binary.LittleEndian.PutUint32(record[4:], uint32(len(record)))
	binary.LittleEndian.PutUint32(record[8:], h.Run)
	binary.LittleEndian.PutUint32(record[12:], h.Connection)
	binary.LittleEndian.PutUint32(record[16:], h.Sequence)
	binary.LittleEndian.PutUint64(record[20:], h.Intended)
}

func checksum(record []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, record[:crcStart]), castagnoli, record[HeaderBytes:])
}

// Decode reads a whole record and checks all of it that does not depend on the trial: magic, version, length, checksum.
func Decode(record []byte) (Header, error) {
	var r Reader
	r.Add(record)
	return r.Decode()
}

// BeginBytes is how many bytes tell that a record begins.
const BeginBytes = 8

// First are the first bytes of every record of that size and flags.
func First(size int, flags uint8) (first [BeginBytes]byte) {
	binary.LittleEndian.PutUint16(first[:], magic)
	first[2], first[3] = version, flags
	binary.LittleEndian.PutUint32(first[4:], uint32(size))
	return first
}

// Begins is where in b a record of that size begins, or -1. It is told by the first bytes, which but for the flags all have.
func Begins(b []byte, size int) int {
	first := First(size, 0)
	for at := 0; at+len(first) <= len(b); at++ {
		i := bytes.Index(b[at:], first[:3])
		if i < 0 {
			return -1
		}
		if at += i; at+len(first) <= len(b) && bytes.Equal(b[at+4:at+8], first[4:]) {
			return at
		}
	}
	return -1
}

// Continues tells whether b begins as the record does, as far as it goes, but for at least what names the record.
func Continues(record, b []byte) bool {
	n := min(len(record), len(b))
	return n >= named && bytes.Equal(b[:n], record[:n])
}

// A Reader decodes a record that comes in pieces. It keeps no more of it than the header.
type Reader struct {
	header [HeaderBytes]byte
	length int
	sum    uint32
}

// Add takes the next piece.
func (r *Reader) Add(b []byte) {
	if r.length < HeaderBytes {
		n := copy(r.header[r.length:], b)
		r.length += n
		b = b[n:]
		if r.length == HeaderBytes {
			r.sum = crc32.Update(0, castagnoli, r.header[:crcStart])
		}
	}
	r.sum = crc32.Update(r.sum, castagnoli, b)
	r.length += len(b)
}

// Len is how many bytes were added.
func (r *Reader) Len() int { return r.length }

// Decode reads what was added as one whole record.
func (r *Reader) Decode() (Header, error) {
	le, record := binary.LittleEndian, r.header[:]
	switch {
	case r.length < HeaderBytes:
		return Header{}, errors.New("shorter than its header")
	case le.Uint16(record) != magic:
		return Header{}, fmt.Errorf("magic is %#04x, not %#04x", le.Uint16(record), magic)
	case record[2] != version:
		return Header{}, fmt.Errorf("version is %d, not %d", record[2], version)
	case int64(le.Uint32(record[4:])) != int64(r.length):
		return Header{}, fmt.Errorf("length field is %d, the record has %d bytes", le.Uint32(record[4:]), r.length)
	case le.Uint32(record[crcStart:]) != r.sum:
		return Header{}, fmt.Errorf("checksum is %#08x, not %#08x", le.Uint32(record[crcStart:]), r.sum)
	}
	return Header{
		Flags:      record[3],
		Run:        le.Uint32(record[8:]),
		Connection: le.Uint32(record[12:]),
		Sequence:   le.Uint32(record[16:]),
		Intended:   le.Uint64(record[20:]),
	}, nil
}

// fill writes the words of xorshift64*, little-endian, cut off at the end of b. Its state may not be 0, which the
// generator would never leave.
func fill(b []byte, seed uint64) {
	s := seed + 0x9E3779B97F4A7C15
	if s == 0 {
		s = 1
	}
	var word [8]byte
	for len(b) > 0 {
		s ^= s >> 12
		s ^= s << 25
		s ^= s >> 27
		binary.LittleEndian.PutUint64(word[:], s*0x2545F4914F6CDD1D)
		b = b[copy(b, word[:]):]
	}
}
