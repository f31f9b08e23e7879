"""What the server's processes use, once a second: cheap enough to stay below one per cent of a core.

A tree of more than MOST processes would cost more than that. The agent looks at such a tree only at the edges of the
window, which are `go`, the first count after it, and the end; in the samples between, the fields of the processes are
None. Descriptors and context switches are in files of their own, so they are left out from MOST_CLOSELY threads on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any

from server import slots
from server.agent import child, host
from server.linux import processes, sockdiag

SECOND_NS = 1_000_000_000
OWN_EVERY = 10  # samples
MOST = 256  # processes that a sample looks at; listeners that it lists
MOST_CLOSELY = 64  # threads, over all processes
OF_THE_TREE = (
    "processes", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "threads", "fds", "minor_faults", "major_faults",
    "voluntary_switches", "involuntary_switches", "foreign_ns",
)  # fmt: skip


class Sampler:
    """Sums over the whole tree of processes. CPU times only grow: what has ended stays in the sum."""

    def __init__(self, address: str, port: int, ports: int = 1, cpus: Iterable[int] | None = None) -> None:
        self._where = (address, port, ports)
        self._cpus = frozenset(cpus if cpus is not None else os.sched_getaffinity(0))
        self._user_ns = self._system_ns = 0
        self._host_began = host.cpus(self._cpus)
        self._agent_began_ns = time.process_time_ns()
        self._counters_began = host.counters()
        self._quota = host.quota_file()
        self._throttled_began_ns = host.throttled_ns(self._quota)
        self.is_large = False  # more than MOST processes at the last look
        self.tree = processes.Tree()
        self.stats: slots.Reader | None = None
        self._due = time.monotonic_ns()
        self._go: int | None = None
        self.taken = 0  # samples

    def own(self) -> dict[str, Any]:
        """The `own` event: what this agent itself uses."""
        me = os.getpid()
        found = processes.stat(me)
        return {
            "event": "own",
            "t": time.monotonic_ns(),
            "processes": 1,
            "rss_bytes": found.rss_bytes if found else 0,
            "descriptors": processes.descriptors(me),
            "cpu_ns": time.process_time_ns(),
        }

    def align(self, go_ns: int) -> None:
        """From `go_ns` on, sample at whole seconds after it."""
        self._go = go_ns

    def due_ns(self) -> int:
        """When the next sample is due, in CLOCK_MONOTONIC nanoseconds."""
        return min(self._due, self._go) if self._go is not None else self._due

    def take(self, at_edge: bool = False, count: bool = False) -> dict[str, Any]:
        """The `sample` event. What it misses while it looks, it finds the next time.

        `count`: count the connections in the kernel, too, which costs too much once there are many.
        """
        self.taken += 1
        now = time.monotonic_ns()
        if self._go is not None and now >= self._go:
            self._due, self._go = self._go, None
            at_edge = True
        while self._due <= now:  # a second that was slept through gives no sample, rather than two at once
            self._due += SECOND_NS
        cpus = host.cpus(self._cpus)
        of_tree: dict[str, Any] = dict.fromkeys(OF_THE_TREE)
        if at_edge or not self.is_large:
            of_tree = self._look(cpus.busy_ns - self._host_began.busy_ns, at_edge)
        return {
            "event": "sample",
            "t": now,
            **of_tree,
            "edges_only": self.is_large,
            "agent_ns": time.process_time_ns(),
            "steal_ns": cpus.steal_ns - self._host_began.steal_ns,
            "throttled_ns": self._throttled_ns(),
            "established": sockdiag.count(*self._where).established if count else None,
            **self._accept_queues(),
            **{name: self._total(name) for name in ("open", "accepted", "bytes_in", "bytes_out")},
            "accepted_by": [slot["accepted"] for slot in self.stats.slots()] if self.stats else None,
            "kernel": host.grown(host.counters(), self._counters_began),
        }

    def _throttled_ns(self) -> int | None:
        now = host.throttled_ns(self._quota)
        return None if now is None or self._throttled_began_ns is None else now - self._throttled_began_ns

    def _look(self, busy_ns: int, at_edge: bool) -> dict[str, Any]:
        """What the processes of the tree use; `busy_ns` is what the server's CPUs have worked for anyone."""
        looked = self.tree.look()
        self.is_large = len(looked) > MOST
        ended = child.rusage()
        self._add_up(looked, ended)
        found = {pid: one for pid, one in looked.items() if one.alive}
        threads = sum(one.threads for one in found.values())
        closely = at_edge or threads <= MOST_CLOSELY
        switched = [processes.switches(pid, one.threads) for pid, one in found.items()] if closely else []
        ours_ns = self._user_ns + self._system_ns
        if self._cpus & os.sched_getaffinity(0):
            ours_ns += time.process_time_ns() - self._agent_began_ns
        values = (
            len(found),
            self._user_ns,
            self._system_ns,
            sum(one.rss_bytes for one in found.values()),
            threads,
            sum(processes.descriptors(pid) for pid in found) if closely else None,
            ended["minor_faults"] + sum(one.minor_faults for one in looked.values()),
            ended["major_faults"] + sum(one.major_faults for one in looked.values()),
            ended["voluntary_switches"] + sum(pair[0] for pair in switched) if closely else None,
            ended["involuntary_switches"] + sum(pair[1] for pair in switched) if closely else None,
            max(0, busy_ns - ours_ns),
        )
        return dict(zip(OF_THE_TREE, values))

    def _add_up(self, looked: dict[int, processes.Stat], ended: dict[str, int]) -> None:
        """Take over the tree's CPU time: the sum is exact, and neither part of it ever falls.

        Where the kernel revises the split into parts, a part that fell stays as it was until it has grown past that.
        """
        user_ns = ended["cpu_user_ns"] + sum(one.user_ns for one in looked.values())
        system_ns = ended["cpu_system_ns"] + sum(one.system_ns for one in looked.values())
        total_ns = max(user_ns + system_ns, self._user_ns + self._system_ns)
        self._system_ns = min(max(system_ns, self._system_ns), total_ns - self._user_ns)
        self._user_ns = total_ns - self._system_ns

    def counts(self) -> dict[str, Any]:
        """The `counts` event."""
        at_ns, found = time.monotonic_ns(), sockdiag.count(*self._where)
        return {"event": "counts", "t": at_ns, **found._asdict(), "open": self._total("open")}

    def _total(self, name: str) -> int | None:
        return self.stats.total(slots.FIELDS.index(name)) if self.stats else None

    def _accept_queues(self) -> dict[str, Any]:
        """How many wait for accept in all listeners, and in each of them, beside its limit."""
        try:
            found = sockdiag.listeners_for(*self._where)
        except OSError:
            found = []
        found.sort(key=lambda one: -one.waiting)
        return {
            "accept_queue": sum(one.waiting for one in found) if found else None,
            "accept_queues": [[one.waiting, one.room] for one in found[:MOST]],
        }
