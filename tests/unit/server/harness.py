"""Starts a strategy as a student would, and looks at it from outside: sockets, statistics, /proc."""

import os
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from server import catalog, slots

ROOT = Path(__file__).parents[3]
PATIENCE_S = 10.0


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(ports: int = 1) -> int:
    """The first of some ports below the ephemeral range that nobody listens on; pytest's workers each have a range."""
    begin = 21_000 + 2_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for port in range(begin + os.getpid() % 1_000, begin + 2_000):
        if all(is_free(one) for one in range(port, port + ports)):
            return port
    raise AssertionError("no port is free")


def eventually(holds: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.01)


class Served:
    """A running strategy."""

    def __init__(self, strategy: str, port: int, process: "subprocess.Popen[bytes]", stats: Path) -> None:
        self.strategy, self.port, self.process = strategy, port, process
        self.workers = catalog.find(strategy).processes(2)
        eventually(lambda: stats.exists() and stats.stat().st_size == 64 * self.workers, "a statistics file")
        self.stats = slots.Reader(stats)
        eventually(self.stats.begun, "every worker ready")

    def connect(self, receive_buffer: int | None = None, number: int = 0) -> socket.socket:
        """A connection to port number `number` of this server."""
        sock = socket.socket()
        sock.settimeout(PATIENCE_S)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(("127.0.0.1", self.port + number))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def total(self, name: str) -> int:
        return self.stats.total(slots.FIELDS.index(name))

    def holds(self, name: str, value: int) -> None:
        eventually(lambda: self.total(name) == value, f"{name} = {value}")

    def pids(self) -> set[int]:
        """The process and its children."""
        found = {self.process.pid}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[1]) == self.process.pid:
                    found.add(int(entry.name))
        return found

    def descriptors(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.pids())

    def cpu_s(self) -> float:
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self) -> int:
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in self.pids())


@contextmanager
def serving(strategy: str, directory: Path, descriptors: int | None = None, ports: int = 1) -> Iterator[Served]:
    port, stats = free_port(ports), directory / "stats.bin"
    command = [
        sys.executable,
        "-m",
        "server",
        "serve",
        "--strategy",
        strategy,
        "--port",
        str(port),
        "--ports",
        str(ports),
        "--stats",
        str(stats),
    ]

    def limit() -> None:
        if descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=limit
        )
    try:
        yield Served(strategy, port, process, stats)
    finally:
        process.kill()
        process.wait()


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def read_exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(min(1 << 16, size - len(data)))
        assert piece, f"the server closed after {len(data)} of {size} bytes"
        data += piece
    return bytes(data)


def read_to_end(sock: socket.socket) -> bytes:
    data = bytearray()
    while piece := sock.recv(1 << 16):
        data += piece
    return bytes(data)


def echoes(sock: socket.socket, data: bytes = b"ping") -> bool:
    sock.sendall(data)
    return read_exactly(sock, len(data)) == data


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
