package agent

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"
)

func FuzzParseSpec(f *testing.F) {
	f.Add(`{"version":2,"run":"r","trial":1,"host":"h","dir":"/a/b/c/d","lifetime_s":9,"targets":["127.0.0.1:1"],"load":{"workload":"open","generator":"go"}}`)
	f.Add(`{"version":1,"requests":7}`)
	f.Add(`{"version":1e400}`)
	f.Add(`[]`)
	f.Fuzz(func(_ *testing.T, text string) {
		if s, err := ParseSpec(text); err == nil {
			_, _ = s.Share() // an error or a share, never a panic
		}
	})
}

// Whatever comes on stdin, every line is obeyed or answered, and the end of input is the end.
func FuzzOrders(f *testing.F) {
	f.Add([]byte("{\"order\":\"alive\"}\n{\"order\":\"clock\",\"n\":7}\n{\"order\":\"arm\",\"connections\":3}\n{\"order\":\"go\",\"at\":1}\n"))
	f.Add([]byte("{\"order\":\"stop\"}\n{"))
	f.Add([]byte("\x00\n[]\nnull\n{\"order\":7}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a := newAgent(io.Discard)
		var err error
		if a.journal, err = newJournal(filepath.Join(t.TempDir(), "agent.jsonl"), &Spec{}, io.Discard, func(error) {}); err != nil {
			t.Fatal(err)
		}
		a.read(bytes.NewReader(text), func() {})
		a.journal.close()
		select {
		case <-a.ctx.Done():
		default:
			t.Error("the end of input is not the end")
		}
	})
}
