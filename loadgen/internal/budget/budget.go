// Package budget checks, before the first socket, that this host has the descriptors and the source ports that a share
// of connections needs.
package budget

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// Spare is how many descriptors the process needs besides its connections: streams, files, epoll, the runtime.
const Spare = 64

// Limits is what the host allows.
type Limits struct {
	Descriptors uint64 // of this process
	Ports       int    // for connections from one address to one address and port
	Range       string // as the kernel writes it, for the message
}

// Need is what a share asks for.
type Need struct {
	Connections int
	Sources     []string // empty: the kernel chooses one
	Targets     []string
}

// Check answers the first limit that need exceeds, or nil.
func Check(need Need, have Limits) error {
	if descriptors := uint64(need.Connections) + Spare; descriptors > have.Descriptors {
		return errs.New(errs.Budget, "descriptors",
			fmt.Sprintf("%d connections need %d descriptors and this process may have %d.", need.Connections, descriptors, have.Descriptors),
			"Raise the hard limit of open files (LimitNOFILE, /etc/security/limits.conf) or spread the load over more clients.")
	}
	pairs := max(1, len(need.Sources)) * max(1, len(need.Targets))
	// The pairs are used in turn, so the first has the most.
	ports := (need.Connections + pairs - 1) / pairs
	if ports > have.Ports {
		from := "one source address"
		if len(need.Sources) > 0 {
			from = need.Sources[0]
		}
		return errs.New(errs.Budget, "ports",
			fmt.Sprintf("%d connections from %s to %s need %d source ports and this host has %d (ip_local_port_range %s).",
				ports, from, need.Targets[0], ports, have.Ports, have.Range),
			"Widen net.ipv4.ip_local_port_range, give this client more source addresses or spread the load over more clients.")
	}
	return nil
}

// RaiseDescriptors sets the soft limit of open files to the hard one and returns it.
func RaiseDescriptors() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err == nil {
			return limit.Max, nil
		}
	}
	return limit.Cur, nil
}

// Read reads the limits of this process and of its network namespace.
func Read() (Limits, error) {
	descriptors, err := RaiseDescriptors()
	if err != nil {
		return Limits{}, err
	}
	ports, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return Limits{}, fmt.Errorf("read the range of local ports: %w", err)
	}
	// Absent in some containers; then nothing is reserved.
	reserved, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_reserved_ports")
	n, err := countPorts(string(ports), string(reserved))
	if err != nil {
		return Limits{}, err
	}
	return Limits{Descriptors: descriptors, Ports: n, Range: strings.Join(strings.Fields(string(ports)), "-")}, nil
}

// countPorts is the size of a range such as "32768\t60999" without the reserved ports, such as "40000-40010,50000".
func countPorts(portRange, reserved string) (int, error) {
	fields := strings.Fields(portRange)
	if len(fields) != 2 {
		return 0, fmt.Errorf("ip_local_port_range is %q, not two ports", portRange)
	}
	low, high, err := twoPorts(fields[0], fields[1])
	if err != nil {
		return 0, fmt.Errorf("ip_local_port_range is %q: %w", portRange, err)
	}
	n := high - low + 1
	for _, part := range strings.FieldsFunc(reserved, func(r rune) bool { return r == ',' || r == '\n' }) {
		first, last, dash := strings.Cut(strings.TrimSpace(part), "-")
		if !dash {
			last = first
		}
		a, b, err := twoPorts(first, last)
		if err != nil {
			return 0, fmt.Errorf("ip_local_reserved_ports is %q: %w", reserved, err)
		}
		n -= max(0, min(high, b)-max(low, a)+1)
	}
	return n, nil
}

func twoPorts(a, b string) (low, high int, err error) {
	if low, err = strconv.Atoi(a); err != nil {
		return 0, 0, err
	}
	if high, err = strconv.Atoi(b); err != nil {
		return 0, 0, err
	}
	if low < 0 || high > 65535 || high < low {
		return 0, 0, fmt.Errorf("%d to %d is no range of ports", low, high)
	}
	return low, high, nil
}
