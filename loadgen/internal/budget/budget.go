// Package budget checks, before the first socket, that this host has the descriptors and the source ports that a share
// of connections needs.
package budget

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// Spare is how many descriptors the process needs besides its connections: streams, files, epoll, the runtime.
const Spare = 64

// mostProcesses bounds over how many a share is split.
const mostProcesses = 1024

// What memory a connection, and a process, take about, in bytes.
const (
	kernelPerConnection = 4096
	userPerConnection   = 128
	perProcess          = 12 << 20
)

// Limits is what the host allows.
type Limits struct {
	Descriptors uint64 // of one process
	Ports       int    // for connections from one address to one address and port
	Range       string // as the kernel writes it, for the message
	Memory      int64  // bytes that are available; 0: not known
	Send        int64  // bytes that one socket may have sent and its peer not yet taken; 0: not known
	Receive     int64  // bytes that one socket may hold unread; 0: not known
}

// Need is what a share asks for.
type Need struct {
	Connections []int        // of each process
	Hostile     int          // connections beside them, of the first process
	Sources     []netip.Addr // empty: the kernel chooses one
	Targets     []netip.AddrPort
	Records     Records
}

// Records are what takes memory of them.
type Records struct {
	Senders int   // connections that carry some
	OnWire  int64 // bytes of them that one connection may have sent and not got back
	User    int64 // bytes that this program holds of all
}

// kernel is how much memory the kernel needs for records that nobody reads: what the sender's socket holds, and where the peer is
// on this host too, what its socket holds.
func (n *Need) kernel(have Limits) int64 {
	most := have.Send
	for _, target := range n.Targets {
		if target.Addr().IsLoopback() {
			most = have.Send + have.Receive
		}
	}
	if have.Send == 0 {
		most = n.Records.OnWire
	}
	return int64(n.Records.Senders) * min(n.Records.OnWire, most)
}

// An Amount is what is needed of something, and what there is.
type Amount struct {
	Need int64 `json:"need"`
	Have int64 `json:"have"`
}

// A Report weighs a need against limits.
type Report struct {
	Descriptors Amount `json:"descriptors"` // of the process that needs most
	Ports       Amount `json:"ports"`       // from one source to one target
	Memory      Amount `json:"memory_bytes"`
	Processes   int    `json:"processes"`
	connections int    // of all, hostile ones too
}

// weigh compares a need with the limits. Connection i of a process goes from source i mod S to target i div S mod T, so the
// first of these pairs has the most.
func weigh(need Need, have Limits) Report {
	pairs := max(1, len(need.Sources)) * max(1, len(need.Targets))
	upward := func(n int) int { return (n + pairs - 1) / pairs }
	largest, all, ports := 0, need.Hostile, upward(need.Hostile)
	for i, n := range need.Connections {
		all += n
		ports += upward(n)
		if i == 0 && len(need.Connections) == 1 {
			n += need.Hostile
		}
		largest = max(largest, n)
	}
	memory := int64(all)*(kernelPerConnection+userPerConnection) + int64(len(need.Connections))*perProcess
	memory += need.kernel(have) + need.Records.User
	return Report{
		Descriptors: Amount{int64(max(largest, need.Hostile)) + Spare, int64(have.Descriptors)},
		Ports:       Amount{int64(ports), int64(have.Ports)},
		Memory:      Amount{memory, have.Memory},
		Processes:   len(need.Connections),
		connections: all,
	}
}

// Check weighs a need; the error is the first limit that it exceeds, or the first source that is no address of this host.
func Check(need Need, have Limits) (Report, error) {
	r := weigh(need, have)
	switch {
	case r.Processes > mostProcesses:
		return r, errs.New(errs.Budget, "processes",
			fmt.Sprintf("%d connections would need %d processes of %d descriptors each, and %d processes are the most.", r.connections, r.Processes,
				have.Descriptors, mostProcesses),
			"Raise the hard limit of open files (LimitNOFILE, /etc/security/limits.conf), or spread the load over more clients.")
	case r.Descriptors.Need > r.Descriptors.Have:
		return r, errs.New(errs.Budget, "descriptors",
			fmt.Sprintf("%d connections in %d processes need %d descriptors in one of them, and a process may have %d.", r.connections, r.Processes,
				r.Descriptors.Need, r.Descriptors.Have),
			"Raise the hard limit of open files (LimitNOFILE, /etc/security/limits.conf), allow more processes, or spread the load over more clients.")
	case r.Ports.Need > r.Ports.Have:
		from := "one source address"
		if len(need.Sources) > 0 {
			from = need.Sources[0].String()
		}
		return r, errs.New(errs.Budget, "ports",
			fmt.Sprintf("%d connections from %s to %s need %d source ports and this host has %d (ip_local_port_range %s).",
				r.Ports.Need, from, need.Targets[0], r.Ports.Need, r.Ports.Have, have.Range),
			"Widen net.ipv4.ip_local_port_range, give this client more source addresses, the server more ports, or spread the load over more clients.")
	case have.Memory > 0 && r.Memory.Need > r.Memory.Have:
		return r, errs.New(errs.Budget, "memory",
			fmt.Sprintf("%d connections need about %d MB of the kernel and the generator, %d MB of it for records that the server may leave unread, and %d MB are available.",
				r.connections, r.Memory.Need>>20, need.kernel(have)>>20, r.Memory.Have>>20),
			"Free memory on this host, send smaller or fewer records at a time, or spread the load over more clients.")
	}
	return r, checkSources(need.Sources)
}

// checkSources answers the first source that is no address of this host, or nil.
func checkSources(sources []netip.Addr) error {
	for _, source := range sources {
		listener := net.ListenConfig{}
		probe, err := listener.ListenPacket(context.Background(), "udp", netip.AddrPortFrom(source, 0).String())
		if err == nil {
			_ = probe.Close()
		} else if errors.Is(err, unix.EADDRNOTAVAIL) {
			return errs.New(errs.Budget, "sources", fmt.Sprintf("%s is not an address of this host.", source),
				fmt.Sprintf("Give it to an interface (ip address add %s dev …), or use fewer source addresses.", source))
		}
	}
	return nil
}

// Read reads the limits of this process and of its network namespace.
func Read() (Limits, error) {
	var files unix.Rlimit // the runtime has raised the soft limit to the hard one
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return Limits{}, fmt.Errorf("read the limit of open files: %w", err)
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
	memory, _ := os.ReadFile("/proc/meminfo")
	send, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_wmem")
	receive, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_rmem")
	return Limits{Send: largest(string(send)), Receive: largest(string(receive)), Descriptors: files.Cur, Ports: n, Range: strings.Join(strings.Fields(string(ports)), "-"), Memory: available(string(memory))}, nil
}

// largest is the last of the three sizes that tcp_wmem or tcp_rmem has; 0: it does not say.
func largest(sizes string) int64 {
	fields := strings.Fields(sizes)
	if len(fields) != 3 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[2], 10, 64)
	return max(0, n)
}

// available is the memory in bytes that /proc/meminfo says is available; 0: it does not say.
func available(meminfo string) int64 {
	_, rest, _ := strings.Cut(meminfo, "MemAvailable:")
	var kilobytes int64
	_, _ = fmt.Sscan(rest, &kilobytes)
	return kilobytes * 1024
}

// countPorts is the size of a range such as "32768\t60999" without the reserved ports, such as "40000-40010,50000".
func countPorts(portRange, reserved string) (int, error) {
	low, high, err := portsOf(strings.Fields(portRange))
	if err != nil {
		return 0, fmt.Errorf("ip_local_port_range is %q: %w", portRange, err)
	}
	n := high - low + 1
	for _, part := range strings.FieldsFunc(reserved, func(r rune) bool { return r == ',' || r == '\n' }) {
		first, last, dash := strings.Cut(strings.TrimSpace(part), "-")
		if !dash {
			last = first
		}
		a, b, err := portsOf([]string{first, last})
		if err != nil {
			return 0, fmt.Errorf("ip_local_reserved_ports is %q: %w", reserved, err)
		}
		n -= max(0, min(high, b)-max(low, a)+1)
	}
	return n, nil
}

func portsOf(ends []string) (low, high int, err error) {
	if len(ends) == 2 {
		a, errA := strconv.ParseUint(ends[0], 10, 16)
		b, errB := strconv.ParseUint(ends[1], 10, 16)
		if errA == nil && errB == nil && a <= b {
			return int(a), int(b), nil
		}
	}
	return 0, 0, fmt.Errorf("%q is no range of ports", ends)
}
