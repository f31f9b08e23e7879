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

func FuzzDecode(f *testing.F) {
	record := NewBuffer(40, 1)
	Encode(record, Header{})
	f.Add(record)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Decode(b)
		if err != nil {
			return
		}
		again := bytes.Clone(b)
		if Encode(again, h); !bytes.Equal(again, b) {
			t.Errorf("%x is accepted, but encodes as %x", b, again)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	record := NewBuffer(64, 71)
	for b.Loop() {
		Encode(record, Header{Sequence: 1})
	}
}
