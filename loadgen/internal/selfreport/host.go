package selfreport

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is USER_HZ, which Linux has fixed at 100 for what it shows in /proc.
const ticksPerSecond = 100

// watched are the counters of the network namespace that can explain a latency or a lost connection.
var watched = []string{
	"Tcp.AttemptFails", "Tcp.EstabResets", "Tcp.RetransSegs", "Tcp.InErrs", "Tcp.OutRsts",
	"TcpExt.ListenOverflows", "TcpExt.ListenDrops", "TcpExt.TCPTimeouts", "TcpExt.TCPSynRetrans", "TcpExt.TCPBacklogDrop",
	"TcpExt.TCPAbortOnMemory", "TcpExt.TCPAbortOnTimeout", "TcpExt.TCPMemoryPressures", "TcpExt.TCPReqQFullDrop",
	"TcpExt.TCPReqQFullDoCookies", "TcpExt.TCPRcvQDrop", "TcpExt.PruneCalled", "TcpExt.TCPLostRetransmit",
	"TcpExt.TCPSpuriousRTOs", "TcpExt.TCPFastRetrans",
}

// Surroundings is what the host's counters stood at.
type Surroundings struct {
	steal     map[int]int64 // ticks, by processor
	kernel    map[string]int64
	throttled *int64 // ns that the cgroup's quota kept it from the CPUs; nil where the kernel does not say
}

// Look reads the counters now. What this host does not show is left out.
func Look() Surroundings {
	stat, _ := os.ReadFile("/proc/stat")
	snmp, _ := os.ReadFile("/proc/net/snmp")
	netstat, _ := os.ReadFile("/proc/net/netstat")
	kernel := counters(string(snmp))
	for name, value := range counters(string(netstat)) {
		kernel[name] = value
	}
	return Surroundings{steal: stolen(string(stat)), kernel: kernel, throttled: throttled("/proc/self/cgroup", "/sys/fs/cgroup")}
}

// Met is what happened around the generator while it worked.
type Met struct {
	Steal     int64            `json:"steal_ns"`               // that the hypervisor took from the CPUs it may use
	Throttled *int64           `json:"throttled_ns,omitempty"` // by its cgroup's quota, summed over them; absent where unknown
	Kernel    map[string]int64 `json:"kernel"`                 // the watched counters that grew, and by how much
}

// Since is what cpus, the cgroup and the namespace met after before.
func (s Surroundings) Since(before Surroundings, cpus []int) Met {
	met := Met{Kernel: map[string]int64{}}
	for _, cpu := range cpus {
		met.Steal += (s.steal[cpu] - before.steal[cpu]) * 1e9 / ticksPerSecond
	}
	if s.throttled != nil && before.throttled != nil {
		grown := *s.throttled - *before.throttled
		met.Throttled = &grown
	}
	for _, name := range watched {
		if by := s.kernel[name] - before.kernel[name]; by > 0 {
			met.Kernel[name] = by
		}
	}
	return met
}

// stolen reads the eighth number of each line such as "cpu3 …" of /proc/stat.
func stolen(stat string) map[int]int64 {
	ticks := map[int]int64{}
	for line := range strings.Lines(stat) {
		fields := strings.Fields(line)
		if len(fields) < 9 {
			continue
		}
		number, isCPU := strings.CutPrefix(fields[0], "cpu")
		cpu, err := strconv.Atoi(number)
		if !isCPU || err != nil {
			continue // the sum of all is called just "cpu"
		}
		if n, err := strconv.ParseInt(fields[8], 10, 64); err == nil {
			ticks[cpu] = n
		}
	}
	return ticks
}

// throttled reads cpu.stat of the cgroup that own names, or of the nearest above it that tells of a quota.
func throttled(own, mount string) *int64 {
	for line := range strings.Lines(read(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		// Version 2 has no controllers here; beside version 1 it is mounted at "unified".
		controllers, other := fields[1], "unified"
		if controllers != "" {
			if !slices.Contains(strings.Split(controllers, ","), "cpu") {
				continue
			}
			other = "cpu"
		}
		for _, root := range []string{filepath.Join(mount, controllers), filepath.Join(mount, other)} {
			// Cleaned as rooted, a path from outside the namespace ("/../..") is its root.
			for path := filepath.Clean(fields[2]); ; path = filepath.Dir(path) {
				if ns := throttledIn(read(filepath.Join(root, path, "cpu.stat"))); ns != nil {
					return ns
				}
				if path == "/" || path == "." {
					break
				}
			}
		}
	}
	return nil
}

// read gives the content of a file of the kernel; nothing where there is none.
func read(path string) string {
	text, _ := fs.ReadFile(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	return string(text)
}

// throttledIn finds the time in a cpu.stat: microseconds in version 2, nanoseconds in version 1.
func throttledIn(stat string) *int64 {
	units := map[string]int64{"throttled_usec": 1000, "throttled_time": 1}
	for line := range strings.Lines(stat) {
		fields := strings.Fields(line)
		if len(fields) != 2 || units[fields[0]] == 0 {
			continue
		}
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			n *= units[fields[0]]
			return &n
		}
	}
	return nil
}

// counters reads pairs of lines "Tcp: Name Name" and "Tcp: 1 2".
func counters(text string) map[string]int64 {
	found := map[string]int64{}
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if len(names) == 0 || len(names) != len(values) || names[0] != values[0] {
			continue
		}
		group := strings.TrimSuffix(names[0], ":")
		for k := 1; k < len(names); k++ {
			if n, err := strconv.ParseInt(values[k], 10, 64); err == nil {
				found[group+"."+names[k]] = n
			}
		}
	}
	return found
}

// CPUs are the processors that this process may use, or those of cpus where it was pinned to some.
func CPUs(cpus []int) []int {
	if len(cpus) > 0 {
		return slices.Clone(cpus)
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil
	}
	var usable []int
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			usable = append(usable, cpu)
		}
	}
	return usable
}
