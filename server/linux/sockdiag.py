"""The kernel's own list of TCP sockets, over NETLINK_SOCK_DIAG; any user may read that of the own network namespace.

The kernel filters by state, local port and local address, so that 20,000 sockets are counted in a few milliseconds and
the clients' ends, which may be on the same machine, are never among them.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ESTABLISHED, LISTEN = 1, 10

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
INET_DIAG_REQ_BYTECODE = 1
INET_DIAG_BC_S_GE, INET_DIAG_BC_S_LE, INET_DIAG_BC_S_COND = 2, 3, 7
ANY_PORT = -1
RECEIVE_BYTES = 1 << 18

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
START = struct.Struct("=IH")  # its first two fields
REQUEST = struct.Struct("=BBBxI48x")  # inet_diag_req_v2: family, protocol, extensions, states, socket id
# inet_diag_msg: family, state, timer, retransmits, ports (network order), then addresses, interface and cookie,
# expires, rqueue, wqueue, uid, inode.
MESSAGE = struct.Struct("=BBBB2s2s16s16s12xIIIII")
RQUEUE_AT = 56
NOTHING = bytes(4)  # as the length of a queue


class Count(NamedTuple):
    """How many connections, and how many of them hold bytes that have come and that nobody has read."""

    established: int
    unread: int


class Socket(NamedTuple):
    """A listening socket; `waiting` is the length of its accept queue and `room` that queue's limit."""

    address: str
    port: int
    waiting: int
    room: int
    inode: int

    @property
    def place(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def _filter(address: str | None, port: int, ports: int) -> bytes:
    """A program for the kernel: the local port is one of `ports` from `port` on, the local address, if given, this.

    An IPv4 address also finds the sockets of a dual-stack server, whose addresses are mapped (::ffff:a.b.c.d).
    """
    family, raw = socket.AF_UNSPEC, b""
    if address is not None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        raw = socket.inet_pton(family, address)
    condition = struct.pack("=BBxxi", family, len(raw) * 8, ANY_PORT) + raw
    conditions = [
        (INET_DIAG_BC_S_GE, struct.pack("=xxH", port)),
        (INET_DIAG_BC_S_LE, struct.pack("=xxH", port + ports - 1)),
        (INET_DIAG_BC_S_COND, condition),
    ]
    program = b""
    for code, argument in reversed(conditions):
        size = 4 + len(argument)
        # "yes" jumps to the next condition, or to the end, which accepts; "no" jumps behind the end, which refuses.
        program = struct.pack("=BBH", code, size, size + len(program) + 4) + argument + program
    return program


def _dump(family: int, states: int, address: str | None, port: int, ports: int) -> Iterator[tuple[bytes, list[int]]]:
    """The kernel's answer: buffers, and where in each the description of a socket begins.

    Ten thousand of them must take only milliseconds, so nothing but the lengths is read here.
    """
    program = _filter(address, port, ports)
    attribute = struct.pack("=HH", 4 + len(program), INET_DIAG_REQ_BYTECODE) + program
    body = REQUEST.pack(family, socket.IPPROTO_TCP, 0, states) + attribute
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(5)
        flags = NLM_F_REQUEST | NLM_F_DUMP
        netlink.send(HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, flags, 1, 0) + body)
        kind = 0
        while kind != NLMSG_DONE:
            buffer = netlink.recv(RECEIVE_BYTES)
            offsets, offset, end = [], 0, len(buffer)
            while offset < end:
                length, kind = START.unpack_from(buffer, offset)
                if kind == SOCK_DIAG_BY_FAMILY:
                    offsets.append(offset + HEADER.size)
                elif kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", buffer, offset + HEADER.size)[0]
                    raise OSError(code, f"sock_diag: {os.strerror(code)}")
                offset += (length + 3) & ~3
            yield buffer, offsets


def count(address: str | None, port: int, ports: int = 1) -> Count:
    """The ESTABLISHED sockets that have one of these local ports and, if given, this local address."""
    established = unread = 0
    for family in (socket.AF_INET, socket.AF_INET6):
        for buffer, offsets in _dump(family, 1 << ESTABLISHED, address, port, ports):
            established += len(offsets)
            unread += sum(buffer[offset + RQUEUE_AT : offset + RQUEUE_AT + 4] != NOTHING for offset in offsets)
    return Count(established, unread)


def listeners(port: int, ports: int = 1) -> list[Socket]:
    """The listening sockets on these ports, whatever their address."""
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        size = 4 if family == socket.AF_INET else 16
        for buffer, offsets in _dump(family, 1 << LISTEN, None, port, ports):
            for offset in offsets:
                _, _, _, _, local, _, source, _, _, waiting, room, _, inode = MESSAGE.unpack_from(buffer, offset)
                name = socket.inet_ntop(family, source[:size])
                found.append(Socket(name, int.from_bytes(local, "big"), waiting, room, inode))
    return found


def listeners_for(address: str, port: int, ports: int = 1) -> list[Socket]:
    """The listeners that connections to this address and these ports would reach; several share a port (reuseport)."""
    every = socket.inet_ntoa(bytes(4))
    wild = ("::", every, f"::ffff:{every}") if ":" not in address else ("::",)
    candidates = (address, f"::ffff:{address}", *wild)
    by_place: dict[tuple[int, str], list[Socket]] = {}
    for one in listeners(port, ports):
        by_place.setdefault((one.port, one.address), []).append(one)
    reached = []
    for number in range(port, port + ports):
        places = (by_place[number, candidate] for candidate in candidates if (number, candidate) in by_place)
        reached += next(places, [])
    return reached


def _open_files(process: Path) -> Iterator[str]:
    """What a process has open, such as socket:[4711]; nothing where this user may not see it."""
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                yield str(link.readlink())


def listeners_of(pids: Iterable[int]) -> list[str]:
    """Where these processes listen, as addresses with ports."""
    where = {f"socket:[{one.inode}]": one.place for one in listeners(1, 65_535)}
    return sorted({where[file] for pid in pids for file in _open_files(Path(f"/proc/{pid}")) if file in where})


def holder(port: int) -> str | None:
    """The process that listens on a port, as `pid 123 (command)`, where this user may see it."""
    inodes = {f"socket:[{one.inode}]" for one in listeners(port)}
    for process in Path("/proc").iterdir() if inodes else ():
        if not process.name.isdigit():
            continue
        try:
            if not inodes.isdisjoint(_open_files(process)):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"pid {process.name} ({command[:120]})"
        except OSError:
            continue
    return None


def explain_listen_error(error: OSError, host: str, port: int) -> str:
    """One sentence on why listening failed, and what mends it."""
    if error.errno == errno.EADDRINUSE:
        by = holder(port)
        return f"Port {port} on {host} is in use{f' by {by}' if by else ''}: stop that, or choose another port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"This host has no address {host}: choose one that it has (ip addr shows them)."
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}: choose one from 1024 on."
    if isinstance(error, socket.gaierror):
        return f"There is no host {host!r}: give an address that this machine has."
    return f"Cannot listen on {host}:{port}: {error.strerror}."
