package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// identity is agent.json: enough to end this process, and no other, by its id.
type identity struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"start_ticks"` // field 22 of /proc/<pid>/stat
	Run        string `json:"run"`
}

// identityPath is <base>/<host>/agent.json for a directory <base>/<host>/runs/<run>/<trial>.
func identityPath(dir string) string { return filepath.Join(dir, "..", "..", "..", "agent.json") }

func writeIdentity(s *Spec) error {
	ticks, err := startTicks()
	if err != nil {
		return err
	}
	b, err := json.Marshal(identity{os.Getpid(), ticks, s.Run})
	if err != nil {
		return fmt.Errorf("write agent.json: %w", err)
	}
	path := identityPath(s.Dir)
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(temporary, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write agent.json: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write agent.json: %w", err)
	}
	return nil
}

// removeIdentity removes agent.json unless another agent has put its own there since.
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

// pin keeps every thread of the process on cpus. The runtime has started some already; later ones inherit it.
func pin(cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if set.Count() != len(cpus) {
		return badSpec("cpus", "cpus %v has a processor that cannot be, or one twice.", cpus)
	}
	pinned := map[string]bool{}
	for again := true; again; { // until a pass meets no thread that a not yet pinned one has started
		again = false
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list the threads: %w", err)
		}
		for _, thread := range threads {
			if pinned[thread.Name()] {
				continue
			}
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				continue
			}
			err = unix.SchedSetaffinity(id, &set)
			if err == unix.ESRCH {
				continue
			}
			if err != nil {
				return errs.New(errs.Spec, "cpus", fmt.Sprintf("This process cannot run on the processors %v: %v.", cpus, err),
					"Give processors that are online and allowed to it (nproc, Cpus_allowed_list), or none.")
			}
			pinned[thread.Name()] = true
			again = true
		}
	}
	return nil
}

// garbageRoom is how much the heap may grow before garbage is collected, in bytes: an interval leaves about a megabyte,
// so that is about once in a minute.
const garbageRoom = 64 << 20

// quiet readies the runtime for a window: what is garbage goes now, and the next collection is far off.
func quiet() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + garbageRoom)
}

// used is what the process has used so far.
func used() usage {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // cannot fail for itself
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{User: r.Utime.Nano(), System: r.Stime.Nano(), MaxRSS: peakRSS(), GCPause: int64(m.PauseTotalNs)}
}

// peakRSS is the largest resident size in bytes. Rusage does not serve: its number outlives exec, so that it can be that
// of whoever started us.
func peakRSS() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	_, _ = fmt.Sscan(rest, &kilobytes)
	return kilobytes * 1024
}

// since is what was used after before.
func (u usage) since(before usage) usage {
	u.User -= before.User
	u.System -= before.System
	u.GCPause -= before.GCPause
	return u
}
