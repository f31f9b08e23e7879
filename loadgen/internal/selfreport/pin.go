package selfreport

import (
	"fmt"
	"os"
	"strconv"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

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
