"""Starts a strategy as a student would, for tests that look closer than the conformance suite does."""

import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from server import catalog, needs
from server.conformance import start
from server.conformance.client import reset
from server.conformance.start import ROOT, end, free_port, launch
from server.conformance.subject import PATIENCE_S, Subject, alive, eventually
from server.reference import build
from tests.pythons import interpreter

__all__ = ["PATIENCE_S", "ROOT", "Served", "alive", "echoes", "eventually", "free_port", "need_program"]
__all__ += ["python_for", "read_exactly", "read_to_end", "reset", "serving"]


@cache
def need_program(strategy: str) -> None:
    """Build the program, where this strategy is one. What lacks its compiler is skipped; what does not build fails."""
    asked = catalog.find(strategy).needs
    for compiler, found, make in (("cc", shutil.which("cc"), build.build), ("go", build.go_compiler(), build.build_go)):
        if compiler in asked and not found:
            pytest.skip(f"{strategy} needs a compiler, {compiler}")
        if compiler in asked:
            make(needs.HOMES[-1])


@cache
def python_for(strategy: str) -> str:
    """This Python, or where the strategy needs a newer one, the newest there is."""
    if "subinterpreters" not in catalog.find(strategy).needs or needs.missing(catalog.find(strategy)) is None:
        return sys.executable
    found = next(filter(None, map(interpreter, ("3.14", "3.13", "3.12"))), None)
    return found or pytest.skip(f"{strategy} needs Python 3.12 or newer")


# An ordinary shell allows 1024 descriptors, and some tests ask for more.
_hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))

# pytest's workers have a range each.
_begin = 21_000 + 2_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
start.PORTS = range(_begin, _begin + 2_000)


class Served(Subject):
    """A running strategy, with plain sockets instead of clients that know what to expect."""

    def __init__(
        self, strategy: str, port: int, process: "subprocess.Popen[bytes]", stats: Path, workers: int = 2
    ) -> None:
        log = stats.with_name("log")
        super().__init__(process, ("127.0.0.1", port), lambda: log.read_text().strip().rpartition("\n")[2], stats)
        self.strategy, self.port = strategy, port
        self.workers = catalog.find(strategy).slots(workers)
        eventually(lambda: self.ready(self.workers), "every worker ready")

    def holds(self, name: str, value: int) -> None:
        """Wait until the sum over the workers is this."""
        eventually(lambda: self.total(name) == value, f"{name} = {value}", self.patience_s)

    def cpu_s(self) -> float:
        return self.scheduled_ns()[0] / 1e9

    def connect(self, receive_buffer: int | None = None, number: int = 0) -> socket.socket:
        """A connection to port number `number` of this server."""
        sock = socket.socket()
        sock.settimeout(PATIENCE_S)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(("127.0.0.1", self.port + number))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


@contextmanager
def serving(
    strategy: str, directory: Path, descriptors: int | None = None, ports: int = 1, setup: str = "",
    more: tuple[str, ...] = (), workers: int = 2,
) -> Iterator[Served]:  # fmt: skip
    """`setup` is what to run first in the server's process; `more` are options of `serve`."""
    need_program(strategy)
    port, stats = free_port(ports), directory / "stats.bin"
    run = ["-c", f"import sys; from server import __main__, common; {setup}; sys.exit(__main__.main())"]
    words = [python_for(strategy), *(run if setup else ["-m", "server"]), "serve", "--strategy", strategy]
    words += ["--port", str(port), "--ports", str(ports), "--stats", str(stats), *more]
    words += ["--workers", str(catalog.find(strategy).slots(workers))]
    with (directory / "log").open("wb") as log:
        process = launch(words, log.fileno(), descriptors, ROOT)
    try:
        yield Served(strategy, port, process, stats, workers)
    finally:
        end(process)


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
