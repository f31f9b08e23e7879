package cli

import (
	"os"
	"testing"

	"c10k/loadgen/internal/processes"
)

// TestMain lets the test's own binary be a process of a group, as the real program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == processes.Command {
		os.Exit(processes.Serve(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}
