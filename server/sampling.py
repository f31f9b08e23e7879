"""What the server's processes use, once a second: cheap enough to stay below one per cent of a core."""

from __future__ import annotations

import time
from typing import Any

from server import child, processes, slots, sockdiag

SECOND_NS = 1_000_000_000


class Sampler:
    """Sums over the whole tree of processes. CPU times only grow: what has ended stays in the sum."""

    def __init__(self, address: str, port: int, ports: int = 1) -> None:
        self._where = (address, port, ports)
        self._user_ns = self._system_ns = 0
        self.tree = processes.Tree()
        self.stats: slots.Reader | None = None
        self._due = time.monotonic_ns()
        self._go: int | None = None

    def align(self, go_ns: int) -> None:
        """From `go_ns` on, sample at whole seconds after it."""
        self._go = go_ns

    def due_ns(self) -> int:
        """When the next sample is due, in CLOCK_MONOTONIC nanoseconds."""
        return min(self._due, self._go) if self._go is not None else self._due

    def take(self) -> dict[str, Any]:
        """The `sample` event. What it misses while it looks, it finds the next time."""
        now = time.monotonic_ns()
        if self._go is not None and now >= self._go:
            self._due, self._go = self._go, None
        while self._due <= now:  # a second that was slept through gives no sample, rather than two at once
            self._due += SECOND_NS
        found = self.tree.descendants()
        ended = child.rusage()
        self._user_ns = max(self._user_ns, ended["cpu_user_ns"] + sum(one.user_ns for one in found.values()))
        self._system_ns = max(self._system_ns, ended["cpu_system_ns"] + sum(one.system_ns for one in found.values()))
        return {
            "event": "sample",
            "t": now,
            "processes": len(found),
            "cpu_user_ns": self._user_ns,
            "cpu_system_ns": self._system_ns,
            "rss_bytes": sum(one.rss_bytes for one in found.values()),
            "threads": sum(one.threads for one in found.values()),
            "fds": sum(processes.descriptors(pid) for pid in found),
            "established": None,
            "accept_queue": self._accept_queue(),
            **{name: self._total(name) for name in ("open", "accepted", "bytes_in", "bytes_out")},
        }

    def counts(self) -> dict[str, Any]:
        """The `counts` event."""
        return {
            "event": "counts",
            "t": time.monotonic_ns(),
            "established": sockdiag.count_established(*self._where),
            "open": self._total("open"),
        }

    def _total(self, name: str) -> int | None:
        return self.stats.total(slots.FIELDS.index(name)) if self.stats else None

    def _accept_queue(self) -> int | None:
        try:
            found = sockdiag.listeners_for(*self._where)
        except OSError:
            return None
        return sum(one.waiting for one in found) if found else None
