"""`pool`: worker processes, each with its part of the connections, which it asks in turn and waits for each reply.

Use it to see what the first script that anybody writes does: `multiprocessing.Pool`, blocking sockets, a loop. It
costs nothing to write and a process costs about 10 MB. There are 16 of them: more than a small machine has
processors, so that some send while others wait, and few enough that the machine does not spend its time in changing
between them.

It fails at 10,000 connections because it never asks more than 16 of them at a time. Where each answers in 0.1 ms
nobody notices; as soon as one takes 100 ms, so does the wait of every other connection of its process. A tool that
counts from the actual send would not show it. Here latency counts from the intended time, and `lag` says how late the
sends were.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pyloadgen.blocking import Walker
from pyloadgen.books import Report
from pyloadgen.ledger import Interval
from pyloadgen.part import Generator, Part

PROCESSES = 16
LONGEST_SLEEP_S = 0.1  # before it looks whether it must stop


def _sleep(seconds: float) -> None:
    time.sleep(min(seconds, LONGEST_SLEEP_S))


class Pool(Generator):
    """One process of the pool."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._walker = Walker(part, part.indices(), _sleep, threading.Lock())

    def arm(self, total: int, start: int) -> None:
        self._walker.arm(total, start)

    def prove(self) -> tuple[int, int]:
        return self._walker.prove()

    def run(self, at: int, emit: Callable[[Interval], None]) -> Report:
        books, walker = self.part.books, self._walker
        books.begin(at, planners=1, emit=emit)
        walker.offer(at, walker.schedule(self.part.turns()))
        books.ledger.finish(self.part.seconds(at))
        books.open = walker.look()
        return books.report()

    def close(self) -> None:
        self._walker.close()
