package selfreport

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Own is what the processes of a generator have at a moment.
type Own struct {
	Processes   int   `json:"processes"`
	RSS         int64 `json:"rss_bytes"` // what they share counts in each
	Descriptors int64 `json:"descriptors"`
	CPU         int64 `json:"cpu_ns"` // so far, to a tick of 10 ms each
}

// OwnOf looks at these processes; one that has gone adds nothing.
func OwnOf(pids []int) Own {
	var sum Own
	for _, pid := range pids {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ") // behind the name of our own program, which has none of these
		fields := strings.Fields(rest)
		if len(fields) < 22 {
			continue
		}
		user, _ := strconv.ParseInt(fields[11], 10, 64) // fields 14, 15 and 24 of proc_pid_stat(5)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		pages, _ := strconv.ParseInt(fields[21], 10, 64)
		sum.Processes++
		sum.CPU += (user + system) * 1e9 / ticksPerSecond
		sum.RSS += pages * int64(os.Getpagesize())
		sum.Descriptors += descriptors(pid)
	}
	return sum
}

// descriptors is how many a process has open. Since Linux 6.2 the size of the directory is their number.
func descriptors(pid int) int64 {
	directory := fmt.Sprintf("/proc/%d/fd", pid)
	if info, err := os.Stat(directory); err == nil && info.Size() > 0 {
		return info.Size()
	}
	names, _ := os.ReadDir(directory)
	return int64(len(names))
}
