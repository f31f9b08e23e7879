package cli

import (
	"os"
	"testing"

	"c10k/loadgen/internal/herd"
)

// TestMain lets the test's own binary be a process of a herd, as the real program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == herd.Command {
		os.Exit(herd.Serve(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}
