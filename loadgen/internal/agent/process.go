package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// identity is agent-<trial>.json: enough to end this process, and no other, by its id.
type identity struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"start_ticks"` // field 22 of /proc/<pid>/stat
	Run        string `json:"run"`
}

// identityPath is <base>/<host>/agent-<trial>.json for a directory <base>/<host>/runs/<run>/<trial>: two trials that run side by
// side have an agent each.
func identityPath(dir string) string {
	return filepath.Join(dir, "..", "..", "..", "agent-"+filepath.Base(dir)+".json")
}

func writeIdentity(s *Spec) error {
	ticks, err := startTicks()
	if err != nil {
		return err
	}
	path := identityPath(s.Dir)
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	err = os.WriteFile(temporary, line(identity{os.Getpid(), ticks, s.Run}), 0o644) // #nosec G306 -- and whose agent runs
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// removeIdentity removes the record unless another agent has put its own there since.
func removeIdentity(s *Spec) {
	var id identity
	b, err := os.ReadFile(identityPath(s.Dir))
	if err == nil && json.Unmarshal(b, &id) == nil && id.PID == os.Getpid() {
		_ = os.Remove(identityPath(s.Dir))
	}
}

func startTicks() (uint64, error) {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, fmt.Errorf("read the start of this process: %w", err)
	}
	return parseStartTicks(string(b))
}

// parseStartTicks reads field 22. The second field is a name in parentheses that may hold anything, so it counts from the last one.
func parseStartTicks(stat string) (uint64, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/self/stat has %d fields after the name", len(fields))
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/self/stat: %w", err)
	}
	return ticks, nil
}
