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

import time
from collections.abc import Callable
from typing import TypeVar

from pyloadgen.blocking import Walker
from pyloadgen.generator import Generator

PROCESSES = 16
LONGEST_SLEEP_S = 0.1  # before it looks whether it must stop

T = TypeVar("T")


def doze(seconds: float) -> None:
    time.sleep(min(seconds, LONGEST_SLEEP_S))


class Pool(Generator):
    """One process of the pool: a walker does everything."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._walker = Walker(self, self.indices(), range(self.process, self.spec.active, self.processes), doze)

    def each(self, job: Callable[[Walker], T]) -> list[T]:
        """What every walker makes of a job."""
        return [job(self._walker)]

    def connect_all(self, total: int, start: int, deadline: int) -> None:
        self.each(lambda walker: walker.arm(total, start, deadline))

    def ask_all(self, deadline: int) -> list[bool]:
        return [right for one in self.each(lambda walker: walker.prove(deadline)) for right in one]

    def offer(self) -> None:
        self.each(Walker.offer if self.spec.does.holds else Walker.churn)

    def look(self) -> int:
        return sum(self.each(Walker.look))

    def close(self) -> None:
        self._walker.close()
