"""The tree of processes below this one, as /proc shows it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Stat(NamedTuple):
    """What /proc/<pid>/stat says; CPU times include those of children that the process has reaped."""

    parent: int
    state: str
    user_ns: int
    system_ns: int
    threads: int
    start_ticks: int
    rss_bytes: int


def stat(pid: int) -> Stat | None:
    """None where there is no such process any more."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    user, system, children_user, children_system = (int(field) for field in fields[11:15])
    return Stat(
        parent=int(fields[1]),
        state=fields[0].decode(),
        user_ns=(user + children_user) * TICK_NS,
        system_ns=(system + children_system) * TICK_NS,
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        rss_bytes=int(fields[21]) * PAGE_BYTES,
    )


def descriptors(pid: int) -> int:
    """How many descriptors a process has open; 0 where this user may not see it."""
    try:
        # Since Linux 6.2 the size of the directory is their number: one call instead of ten thousand entries.
        directory = Path(f"/proc/{pid}/fd")
        return directory.stat().st_size or sum(1 for _ in directory.iterdir())
    except OSError:
        return 0


class Tree:
    """The descendants of this process. As it is a subreaper, none of them can leave its tree."""

    def __init__(self) -> None:
        self._root = os.getpid()
        self._mine: set[int] = set()
        self._foreign: set[int] = set()

    def descendants(self) -> dict[int, Stat]:
        """Every one that is alive, not counting those that ended and wait to be reaped.

        Only processes that were not there the last time cost a look at their parents.
        """
        present = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - no Path for each
        self._mine &= present
        self._foreign &= present
        found = {pid: one for pid in self._mine for one in [stat(pid)] if one}
        news = {pid: one for pid in present - self._mine - self._foreign for one in [stat(pid)] if one}
        for pid in news:
            if self._is_mine(pid, news):
                self._mine.add(pid)
                found[pid] = news[pid]
            else:
                self._foreign.add(pid)
        return {pid: one for pid, one in found.items() if one.state not in "ZX"}

    def _is_mine(self, pid: int, news: dict[int, Stat]) -> bool:
        """Follow the parents up to a process that is known. The root itself is not one of its descendants."""
        if pid == self._root:
            return False
        parent = pid
        while parent in news:
            parent = news[parent].parent
            if parent == self._root or parent in self._mine:
                return True
        return False
