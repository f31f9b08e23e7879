package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

func TestContractVectors(t *testing.T) {
	const path = "../../../tests/contract/vectors/record.json"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("the vectors that bind all rooms are missing: %v", err)
	}
	var file struct {
		Vectors []struct {
			Seed       uint64 `json:"seed"`
			Payload    int    `json:"payload_bytes"`
			Flags      uint8  `json:"flags"`
			Run        uint32 `json:"run"`
			Connection uint32 `json:"connection"`
			Sequence   uint32 `json:"sequence"`
			Intended   uint64 `json:"intended_ns"`
			Hex        string `json:"hex"`
		} `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 3 {
		t.Fatalf("%d vectors, the contract has 3", len(file.Vectors))
	}
	for i, v := range file.Vectors {
		want, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		h := Header{v.Flags, v.Run, v.Connection, v.Sequence, v.Intended}
		record := NewBuffer(v.Payload, v.Seed)
		sum := Encode(record, h)
		if !bytes.Equal(record, want) {
			t.Errorf("vector %d:\n got %x\nwant %x", i, record, want)
		}
		clear(record[:HeaderBytes])
		if Rewrite(record, h, sum); !bytes.Equal(record, want) {
			t.Errorf("vector %d: Rewrite differs from Encode", i)
		}
		if got, err := Decode(want); err != nil || got != h {
			t.Errorf("vector %d: decoded %+v, %v", i, got, err)
		}
	}
}

func TestDecodeRefusesEveryFlippedBit(t *testing.T) {
	record := NewBuffer(77, 71)
	h := Header{Arm, 1, 2, 3, 4}
	Encode(record, h)
	for bit := range len(record) * 8 {
		record[bit/8] ^= 1 << (bit % 8)
		if _, err := Decode(record); err == nil {
			t.Errorf("bit %d of byte %d may differ unnoticed", bit%8, bit/8)
		}
		record[bit/8] ^= 1 << (bit % 8)
	}
	for n := range record {
		if _, err := Decode(record[:n]); err == nil {
			t.Errorf("%d of %d bytes pass for a record", n, len(record))
		}
	}
}

func TestFillerNeverStops(t *testing.T) {
	stuck := ^uint64(0x9E3779B97F4A7C15) + 1 // the seed whose state would be 0
	for _, seed := range []uint64{0, 1, 71, 1<<32 - 1, stuck} {
		b := NewBuffer(HeaderBytes+64, seed)[HeaderBytes:]
		if bytes.Count(b, []byte{0}) > 8 {
			t.Errorf("seed %d: filler %x", seed, b)
		}
		longer := NewBuffer(HeaderBytes+77, seed)[HeaderBytes:]
		if !bytes.HasPrefix(longer, b) {
			t.Errorf("seed %d: the filler depends on its length", seed)
		}
	}
}

// What is accepted is what Encode makes of it, and it may come in any pieces.
func FuzzDecode(f *testing.F) {
	record := NewBuffer(40, 1)
	Encode(record, Header{})
	f.Add(record, uint16(3))
	f.Add(record[:39], uint16(32))
	f.Add(NewBuffer(HeaderBytes, 0), uint16(28))
	f.Add([]byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		h, err := Decode(b)
		var pieces Reader
		for rest := b; len(rest) > 0; {
			n := min(len(rest), 1+int(size))
			pieces.Add(rest[:n])
			rest = rest[n:]
		}
		if again, errAgain := pieces.Decode(); again != h || (err == nil) != (errAgain == nil) || pieces.Len() != len(b) {
			t.Errorf("%x in pieces of %d: %+v, %v; as a whole %+v, %v", b, 1+int(size), again, errAgain, h, err)
		}
		if err != nil {
			return
		}
		again := bytes.Clone(b)
		clear(again[:HeaderBytes])
		if Encode(again, h); !bytes.Equal(again, b) {
			t.Errorf("%x is accepted, but encodes as %x", b, again)
		}
	})
}

// Every header comes back from every record.
func FuzzEncode(f *testing.F) {
	f.Add(uint8(Arm), uint32(20945436), uint32(1), uint32(2), uint64(3), uint16(64), uint64(71))
	f.Add(uint8(255), ^uint32(0), ^uint32(0), ^uint32(0), ^uint64(0), uint16(0), ^uint64(0x9E3779B97F4A7C15)+1)
	f.Fuzz(func(t *testing.T, flags uint8, run, connection, sequence uint32, intended uint64, more uint16, seed uint64) {
		h := Header{flags, run, connection, sequence, intended}
		record := NewBuffer(HeaderBytes+int(more), seed)
		Encode(record, h)
		if got, err := Decode(record); err != nil || got != h {
			t.Errorf("%+v comes back as %+v, %v", h, got, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	record := NewBuffer(64, 71)
	for b.Loop() {
		Encode(record, Header{Sequence: 1})
	}
}
