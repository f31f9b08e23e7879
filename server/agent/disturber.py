"""Disturbs one worker of a strategy after the other while the load runs: what the parameter `disturb` asks for."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from contracts.disturbance import Disturbance
from server.linux.processes import Tree
from server.slots import Reader


class Disturber:
    """From the start of the load until it is over (`end`). Who calls `act` when it is due decides how punctual it is.

    The workers are found in the statistics, which the measured server writes: only what is a descendant is signalled.
    """

    def __init__(self, asked: Disturbance, stats: Reader, tree: Tree) -> None:
        self._asked, self._stats, self._tree = asked, stats, tree
        self._begin_ns = 0
        self._due_ns = sys.maxsize
        self._stopped: int | None = None  # the worker that stands still
        self.times = 0  # how often a worker was disturbed

    def start(self, at_ns: int) -> None:
        """The first period ends so many ns after `at_ns`, on the monotonic clock, and a worker is disturbed then."""
        self._begin_ns, self._due_ns = at_ns, at_ns + self._asked.every_ns

    def due_ns(self) -> int:
        return self._due_ns

    def act(self, now_ns: int) -> None:
        """Disturb the next worker, or let the one that stands still go on."""
        if self._stopped is not None:
            self._go_on()
        elif (victim := self._victim()) is not None:
            self.times += 1
            self._signal(victim, signal.SIGTERM if self._asked.restarts else signal.SIGSTOP)
            if not self._asked.restarts:
                self._stopped = victim
                self._due_ns = now_ns + self._asked.stall_ns
                return
        # Periods that passed meanwhile are left out: an agent that is late disturbs less, and never twice at once.
        self._due_ns = now_ns + self._asked.every_ns - (now_ns - self._begin_ns) % self._asked.every_ns

    def end(self) -> None:
        """Disturb no more, and leave nobody standing still."""
        self._due_ns = sys.maxsize
        self._go_on()

    def _victim(self) -> int | None:
        """The pid of the worker whose turn it is; None where it is not there, as between an end and a successor."""
        slots = self._stats.slots()
        pid = slots[self.times % len(slots)]["pid"]
        return pid if pid in self._tree.look() else None

    def _go_on(self) -> None:
        if self._stopped is not None and self._stopped in self._tree.look():
            self._signal(self._stopped, signal.SIGCONT)
        self._stopped = None

    def _signal(self, pid: int, number: int) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, number)
