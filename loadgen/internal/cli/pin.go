package cli

import (
	"fmt"
	"os"
	"strconv"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// pin keeps every thread of this process on cpus, if there are any. The runtime has started some already; later ones inherit it.
func pin(cpus []int) error {
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list the threads: %w", err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
			return errs.New(errs.Spec, "cpus", fmt.Sprintf("This process cannot run on the processors %v: %v.", cpus, err),
				"Give --cpus processors that are online and allowed to it (nproc, Cpus_allowed_list), or leave it out.")
		}
	}
	return nil
}
