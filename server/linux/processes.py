"""The tree of processes below this one, as /proc shows it.

CPU time is known to the nanosecond: every process has a clock that runs while one of its threads does, those included
that have ended (/proc/<pid>/schedstat is of the first thread alone). How much of it was the system's share, only the
ticks of /proc/<pid>/stat tell. The kernel scales these so that user and system ticks add up to the clock, each rounded
down; so each is right to a tick (10 ms), and what the clock has beyond them is shared out in their proportion.

The kernel adds what an ended child used to the process that waited for it, exact to the nanosecond, and shows the sum
in ticks. A child that nobody waits for (SIGCHLD ignored) is lost with its last sample.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import NamedTuple

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
READ_BYTES = 16_384  # more than any of these files holds


class Stat(NamedTuple):
    """What /proc/<pid>/stat says. CPU times and faults include those of children that the process has waited for."""

    parent: int
    state: str
    user_ns: int
    system_ns: int
    minor_faults: int
    major_faults: int
    threads: int
    start_ticks: int
    rss_bytes: int

    @property
    def alive(self) -> bool:
        """False for a process that ended and waits to be reaped."""
        return self.state not in "ZX"


def _read(path: str) -> bytes:
    """The whole of a small file; at two hundred processes a second Python's own file objects would cost too much."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, READ_BYTES)
    finally:
        os.close(descriptor)


def clock_ns(pid: int) -> int | None:
    """CPU time of all threads of a process, alive or ended; None where the kernel has no such clock."""
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)  # as clock_getcpuclockid(3) puts a clock's number together
    except OSError:
        return None


def stat(pid: int) -> Stat | None:
    """None where there is no such process any more."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None
    user, system, of_children_user, of_children_system = map(int, fields[11:15])
    ticks, clock = user + system, clock_ns(pid)
    beyond = max(0, clock - ticks * TICK_NS) if clock is not None else 0
    beyond_system = beyond * system // ticks if ticks else beyond // 2
    return Stat(
        parent=int(fields[1]),
        state=fields[0].decode(),
        user_ns=(user + of_children_user) * TICK_NS + beyond - beyond_system,
        system_ns=(system + of_children_system) * TICK_NS + beyond_system,
        minor_faults=int(fields[7]) + int(fields[8]),
        major_faults=int(fields[9]) + int(fields[10]),
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        rss_bytes=int(fields[21]) * PAGE_BYTES,
    )


def switches(pid: int, threads: int) -> tuple[int, int]:
    """How often the living threads of a process gave up the CPU, and how often the kernel took it from them."""
    voluntary = involuntary = 0
    with suppress(OSError):
        places = [f"/proc/{pid}"] if threads == 1 else [entry.path for entry in os.scandir(f"/proc/{pid}/task")]
        for place in places:
            with suppress(OSError):  # this thread has ended meanwhile
                words = _read(f"{place}/status").partition(b"\nvoluntary_ctxt_switches:")[2].split()
                voluntary += int(words[0])
                involuntary += int(words[2])  # words[1] is the name of the next line
    return voluntary, involuntary


def descriptors(pid: int) -> int:
    """How many descriptors a process has open; 0 where this user may not see it."""
    try:
        # Since Linux 6.2 the size of the directory is their number: one call instead of ten thousand entries.
        directory = f"/proc/{pid}/fd"
        return os.stat(directory).st_size or len(os.listdir(directory))  # noqa: PTH116, PTH208 - no Path for each
    except OSError:
        return 0


class Tree:
    """The descendants of a process, by default this one. None of them can leave the tree of a subreaper."""

    def __init__(self, root: int | None = None) -> None:
        self._root = root or os.getpid()
        self._mine: dict[int, int] = {}  # when each began: a pid may be used again
        self._foreign: set[int] = set()

    def look(self) -> dict[int, Stat]:
        """All descendants, those included that ended and wait to be reaped.

        Only processes that were not there the last time cost a look at their parents. The processes known longest are
        read first: so a child is never counted twice, in itself and in the parent that has reaped it since.
        """
        present = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - no Path for each
        self._foreign &= present
        found = {}
        for pid, start_ticks in list(self._mine.items()):
            one = stat(pid) if pid in present else None
            if one and one.start_ticks == start_ticks:
                found[pid] = one
            else:
                del self._mine[pid]
        news = {pid: one for pid in sorted(present - found.keys() - self._foreign) for one in [stat(pid)] if one}
        for pid, one in news.items():
            if self._is_mine(pid, news):
                self._mine[pid] = one.start_ticks
                found[pid] = one
            else:
                self._foreign.add(pid)
        return found

    def _is_mine(self, pid: int, news: dict[int, Stat]) -> bool:
        """Follow the parents up to a known process. The root itself is no descendant."""
        if pid == self._root:
            return False
        parent = pid
        while parent in news:
            parent = news[parent].parent
            if parent == self._root or parent in self._mine:
                return True
        return False
