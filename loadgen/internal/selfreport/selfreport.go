// Package selfreport tells what this process, its host's processors and its network namespace went through during a load, so
// that a reader can tell a slow server from a slow generator.
package selfreport

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// Usage is what one process used; MaxRSS is the largest of its life. CPU and pauses in ns.
type Usage struct {
	User     int64 `json:"cpu_user_ns"`
	System   int64 `json:"cpu_system_ns"`
	GCPause  int64 `json:"gc_pause_ns"`
	GCCycles int64 `json:"gc_cycles"`
	MaxRSS   int64 `json:"max_rss_bytes"`
}

// Used is what this process has used so far.
func Used() Usage {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r) // cannot fail for itself
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{User: r.Utime.Nano(), System: r.Stime.Nano(), GCPause: int64(m.PauseTotalNs), GCCycles: int64(m.NumGC), MaxRSS: peakRSS()}
}

// Since is what was used after before.
func (u Usage) Since(before Usage) Usage {
	u.User -= before.User
	u.System -= before.System
	u.GCPause -= before.GCPause
	u.GCCycles -= before.GCCycles
	return u
}

// Add adds what another process used in the same time.
func (u Usage) Add(other Usage) Usage {
	return Usage{u.User + other.User, u.System + other.System, u.GCPause + other.GCPause, u.GCCycles + other.GCCycles, u.MaxRSS + other.MaxRSS}
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

// garbageRoom is how much the heap may grow before garbage is collected, in bytes: an interval leaves about a megabyte,
// so that is about once in a minute.
const garbageRoom = 64 << 20

// Quiet readies the runtime for a window: what is garbage goes now, and the next collection is far off.
func Quiet() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + garbageRoom)
}

// Pin keeps every thread of the process on cpus, if there are any. The runtime has started some already; later ones inherit it.
func Pin(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if set.Count() != len(cpus) {
		return errs.New(errs.Spec, "cpus", fmt.Sprintf("cpus %v has a processor that cannot be, or one twice.", cpus), "Give each processor once.")
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
