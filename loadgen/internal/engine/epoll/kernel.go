package epoll

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The whole kernel interface of the loop. Calls that cannot block are made raw: the runtime need not prepare for a thread
// that stays away, which costs more than the call itself. Each unsafe pointer is to a variable of the caller, and becomes a number
// within the call alone, as package unsafe asks.

// A sockaddr is an address as the kernel wants it, made once so that connecting does not allocate.
type sockaddr struct {
	raw    [unix.SizeofSockaddrInet6]byte
	size   uintptr
	family int
}

func sockaddrOf(a netip.AddrPort) sockaddr {
	s, ip, at := sockaddr{family: unix.AF_INET, size: unix.SizeofSockaddrInet4}, a.Addr().Unmap(), 4
	if ip.Is6() {
		s.family, s.size, at = unix.AF_INET6, unix.SizeofSockaddrInet6, 8
	}
	binary.NativeEndian.PutUint16(s.raw[0:], uint16(s.family))
	binary.BigEndian.PutUint16(s.raw[2:], a.Port())
	copy(s.raw[at:], ip.AsSlice())
	return s
}

func openSocket(family int) (int32, unix.Errno) {
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int32(fd), errno
}

func setOption(fd int32, level, name int, value unsafe.Pointer, size uintptr) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(value), size, 0)
	return errno
}

func setInt(fd int32, level, name int, value int32) unix.Errno {
	return setOption(fd, level, name, unsafe.Pointer(&value), unsafe.Sizeof(value)) // #nosec G103 -- as said above
}

// resetOnClose makes close send RST, which leaves no TIME_WAIT behind.
func resetOnClose(fd int32) unix.Errno {
	linger := unix.Linger{Onoff: 1, Linger: 0}
	return setOption(fd, unix.SOL_SOCKET, unix.SO_LINGER, unsafe.Pointer(&linger), unsafe.Sizeof(linger)) // #nosec G103 -- as said above
}

// bindSource chooses the source address and leaves the port to connect, which may share it between destinations.
func bindSource(fd int32, source *sockaddr) unix.Errno {
	if errno := setInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); errno != 0 {
		return errno
	}
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&source.raw)), source.size) // #nosec G103 -- as said above
	return errno
}

func connect(fd int32, target *sockaddr) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&target.raw)), target.size) // #nosec G103 -- as said above
	return errno
}

// connectResult is how a connect that was in progress ended.
func connectResult(fd int32) unix.Errno {
	var result int32
	size := uint32(unsafe.Sizeof(result))
	value, room := unsafe.Pointer(&result), unsafe.Pointer(&size) // #nosec G103 -- as said above
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ERROR, uintptr(value), uintptr(room), 0)
	if errno != 0 {
		return errno
	}
	return unix.Errno(result)
}

// readSome receives rather than reads, which for a socket is the shorter way through the kernel.
func readSome(fd int32, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0) // #nosec G103 -- as said above
	return int(n), errno
}

func writeSome(fd int32, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), // #nosec G103 -- as said above
		unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// unread is how many bytes wait to be received.
func unread(fd int32) int {
	var n int32
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCINQ, uintptr(unsafe.Pointer(&n))) // #nosec G103 -- as said above
	return int(n)
}

// isWritable tells whether a socket is connected and takes more.
func isWritable(fd int32) bool {
	p := unix.PollFd{Fd: fd, Events: unix.POLLOUT}
	var now unix.Timespec
	_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0) // #nosec G103 -- as said above
	return p.Revents == unix.POLLOUT
}

func closeSocket(fd int32) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// interest is asked for once. Edges rather than levels: the kernel need not look again at a socket that was read empty, and
// what a connection waits for can change without a system call. So a socket is read until it is empty, and written to until
// it is full.
const (
	interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
	incoming = unix.EPOLLIN | ending
	ending   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
)

// An event carries the connection's index and its generation, so that one for a descriptor since closed is known. To watch a socket that is watched already (EPOLL_CTL_MOD)
// has its edges told again.
func watchSocket(ep, op int, fd int32, events uint32, index int32, generation uint32) unix.Errno {
	event := unix.EpollEvent{Events: events, Fd: index, Pad: int32(generation)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(ep), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0) // #nosec G103 -- as said above
	return errno
}

// wait fills events, and returns after at most ns nanoseconds, by the finest clock that the kernel offers.
func (w *watch) wait(events []unix.EpollEvent, ns int64) (int, unix.Errno) {
	if w.coarse {
		return w.waitCoarse(events, ns)
	}
	timeout := unix.NsecToTimespec(max(0, ns))
	list, limit := unsafe.Pointer(unsafe.SliceData(events)), unsafe.Pointer(&timeout) // #nosec G103 -- as said above
	room := uintptr(len(events))
	var n uintptr
	var errno unix.Errno
	if ns <= 0 {
		n, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(w.ep), uintptr(list), room, uintptr(limit), 0, 0)
	} else {
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(w.ep), uintptr(list), room, uintptr(limit), 0, 0)
	}
	if errno == unix.ENOSYS {
		w.coarse = true
		return w.waitCoarse(events, ns)
	}
	return int(n), errno
}

// waitCoarse sleeps whole milliseconds and returns at once for less: sends are on time, for some processor time.
func (w *watch) waitCoarse(events []unix.EpollEvent, ns int64) (int, unix.Errno) {
	ms := min(max(0, ns)/1e6, 1<<30)
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.ep), uintptr(unsafe.Pointer(unsafe.SliceData(events))), // #nosec G103 -- as said above
		uintptr(len(events)), uintptr(ms), 0, 0)
	return int(n), errno
}

// newBell makes a descriptor that wakes the loop from another thread. It stays ringing once it rang, for it only ever means that
// all must end.
func newBell(ep int) (int, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("make an eventfd: %w", err)
	}
	if errno := watchSocket(ep, unix.EPOLL_CTL_ADD, int32(fd), unix.EPOLLIN|unix.EPOLLET, -1, 0); errno != 0 {
		return 0, fmt.Errorf("watch an eventfd: %w", errno)
	}
	return fd, nil
}

func ring(bell int) { _, _ = unix.Write(bell, []byte{1, 0, 0, 0, 0, 0, 0, 0}) } // any number but 0
