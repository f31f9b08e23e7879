"""The server that is checked: started as a child process, then looked at from outside, in /proc and its statistics."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from server import slots
from server.conformance.client import Client, Failed
from server.linux import processes, sockdiag
from server.linux.processes import Stat

PATIENCE_S = 10.0
PACE_S = 0.5  # for a server to accept one connection; a server that took longer is not waited for again
IDLE_S, IDLE_SHARE = 0.2, 0.2  # of a CPU
LOOKS = 5  # meanwhile
QUIET_S, FULL_AFTER = 0.1, 10
FILL_BYTES = 32 << 20  # more than the kernel keeps for one connection here


def eventually(holds: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait until it holds; Failed names what did not."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(f"not within {within_s:g} s: {what}")
        time.sleep(0.005)


def family(root: int) -> dict[int, Stat]:
    """A process and its descendants, those that ended and were not reaped among them; the root is the first."""
    itself = processes.stat(root)
    return {**({root: itself} if itself else {}), **processes.Tree(root).look()}


def alive(pid: int) -> bool:
    """A process runs; one that ended and waits to be reaped does not."""
    seen = processes.stat(pid)
    return seen is not None and seen.alive


def scheduled_ns(pid: int) -> tuple[int, int]:
    """How long a process's threads have been running, and waiting for a CPU."""
    ran = waited = 0
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                numbers = (task / "schedstat").read_text().split()
                ran, waited = ran + int(numbers[0]), waited + int(numbers[1])
    return ran, waited


class Subject:
    """A server that runs. Checks of it wait `patience_s`, and open `connections` where they ask for many.

    Unless it `holds_many`, it serves only a few at the same time, and the others when those have ended.
    """

    patience_s = PATIENCE_S
    holds_many = True
    connections = 200

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        address: tuple[str, int],
        last_line: Callable[[], str],
        stats: Path | None,
    ) -> None:
        self.process, self.address = process, address
        self._last_line, self._stats_file = last_line, stats
        self._clients: list[Client] = []
        self._paced = True

    def ready(self, workers: int) -> bool:
        """So many workers have taken their slots; 0 is for an unknown number: somebody listens."""
        if not workers:
            return bool(self.listeners())
        file = self._stats_file
        return bool(file and file.exists() and file.stat().st_size == workers * slots.SLOT_BYTES and self.stats.begun())

    # Connections

    def client(self, slow: bool = False, paced: bool = True) -> Client:
        """A connection; unless not `paced`, one that the server has accepted, if it accepts what does not speak yet."""
        client = Client(self.address, self.patience_s, slow)
        self._clients.append(client)
        deadline = time.monotonic() + PACE_S
        while paced and self._paced and self.holds_many and self.waiting():
            self._paced = time.monotonic() < deadline
        return client

    def slow_client(self) -> Client:
        """A connection that has written until the server, whose answers it does not read, took no more."""
        client = self.client(slow=True)
        client.exchange(1)
        with suppress(Failed):  # a server that ends such a connection fails the clause slow_reader
            self.fill(client, FILL_BYTES)
        return client

    def fill(self, client: Client, at_most: int) -> bool:
        """Write without reading; True where the server stopped reading, False at the limit."""
        stuck = 0
        while client.sent < at_most and stuck < FULL_AFTER:
            if client.push(at_most - client.sent):
                stuck = 0
                continue
            begin, before = time.monotonic(), sum(self.scheduled_ns())
            if not client.ready(select.POLLOUT, QUIET_S):
                busy = sum(self.scheduled_ns()) - before > 0.5e9 * (time.monotonic() - begin)
                stuck += 1 if busy else FULL_AFTER  # a server that waits for a CPU will yet take more
        return client.sent < at_most

    def hang_up(self) -> None:
        while self._clients:
            self._clients.pop().close()

    # What the kernel and /proc show

    def death(self, within_s: float = 0.0) -> str:
        """How the server ended, with its last words; nothing while it runs."""
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(within_s)
            how = f"ended with status {code}" if code >= 0 else f"was ended by signal {-code}"
            return f"the server {how}{self.last_words()}"
        return ""

    def last_words(self) -> str:
        line = self._last_line()
        return f" ({line})" if line else ""

    def waiting(self) -> int:
        """How many connections are in the accept queue."""
        return sum(one.waiting for one in self.listeners())

    def listeners(self) -> list[sockdiag.Socket]:
        return sockdiag.listeners_for(*self.address)

    def family(self) -> dict[int, Stat]:
        return family(self.process.pid)

    def pids(self) -> set[int]:
        return set(self.family())

    def descriptors(self) -> int:
        return sum(processes.descriptors(pid) for pid in self.family())

    def rss_bytes(self) -> int:
        return sum(one.rss_bytes for one in self.family().values())

    def scheduled_ns(self) -> tuple[int, int]:
        each = [scheduled_ns(pid) for pid in self.family()]
        return sum(ran for ran, _ in each), sum(waited for _, waited in each)

    def idles(self, but: Container[int] = ()) -> bool:
        """The server has nothing to do. Waiting for a CPU counts as doing, so that a busy machine hides nothing.

        The kernel adds a wait when it is over, so a process that waits at this moment is told by its state. So is one
        that was stopped or frozen meanwhile: it might spin if it could. `but`: processes that the caller has stopped.
        """
        for _ in range(10):  # something may have been left over at first, and what spins does so every time
            begin, before, seen = time.monotonic(), sum(self.scheduled_ns()), ""
            for _ in range(LOOKS):
                time.sleep(IDLE_S / LOOKS)
                now = "".join(one.state for pid, one in self.family().items() if pid not in but)
                seen += now
            used = sum(self.scheduled_ns()) - before
            is_held = "R" in now or not {"T", "D"}.isdisjoint(seen)
            if not is_held and used < IDLE_SHARE * 1e9 * (time.monotonic() - begin):
                return True
        return False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server meanwhile, so that everything reaches it at once."""
        pids = list(self.family())
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: all(one.state in "TZX" for one in self.family().values()), "stopped by SIGSTOP")
            yield
        finally:
            for pid in reversed(pids):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    # Statistics

    @cached_property
    def stats(self) -> slots.Reader:
        """The slots of its workers."""
        if self._stats_file is None or not self._stats_file.exists() or not self._stats_file.stat().st_size:
            raise Failed("there is no statistics file")
        return slots.Reader(self._stats_file)

    @property
    def keeps_stats(self) -> bool:
        return self._stats_file is not None

    def total(self, name: str) -> int:
        return self.stats.total(slots.FIELDS.index(name))
