"""Accounts for every request by the second of its intended time: planned is the sum of the six outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from contracts.declared import COUNTS, SETTLED
from pyloadgen.histogram import Histogram

# Outcomes of a request.
ANSWERED, TIMED_OUT, CENSORED = "answered", "timed_out", "censored"
DROPPED, MISMATCHED, FAILED = "dropped", "mismatched", "failed"
SECOND = 1_000_000_000

Counts = dict[str, int]


def unsettled(counts: Counts) -> int:
    return counts["planned"] - sum(counts[outcome] for outcome in SETTLED)


class Interval(NamedTuple):
    """One second, of which every request is settled."""

    k: int
    counts: Counts
    response: Histogram


class Ledger:
    """The seconds that are not settled yet. `planners` threads or loops plan requests, each in the order of time.

    A second is emitted when each planner has passed it and its last request is settled. It holds no lock: threads that
    share it bring one.
    """

    def __init__(self, at: int, planners: int, limit: int | None, emit: Callable[[Interval], None]) -> None:
        self._at = at
        self._limit = limit  # how many seconds there are; None: as many as it takes
        self._emit = emit
        self._passed = Counter({0: planners})  # planners, by the second that they have come to
        self._open: dict[int, Interval] = {}
        self._next = 0  # the first second that has not been passed by all

    def second_of(self, intended: int) -> int:
        k = max(0, (intended - self._at) // SECOND)
        return k if self._limit is None else min(k, self._limit)

    def _interval(self, k: int) -> Interval:
        if k not in self._open:
            self._open[k] = Interval(k, dict.fromkeys(COUNTS, 0), Histogram())
        return self._open[k]

    def plan(self, intended: int) -> int:
        """Its second."""
        k = self.second_of(intended)
        self._interval(k).counts["planned"] += 1
        return k

    def sent(self, k: int) -> None:
        self._open[k].counts["sent"] += 1

    def settle(self, k: int, outcome: str, response_ns: int = 0) -> None:
        interval = self._open[k]
        interval.counts[outcome] += 1
        if outcome == ANSWERED:
            interval.response.record(response_ns)
        if k < self._next:
            self._emit_if_settled(interval)

    def move(self, before: int, intended: int) -> int:
        """A planner that was in second `before` will plan nothing earlier any more; the second that it is in now."""
        k = self.second_of(intended)
        if k <= before:
            return before
        self._passed[k] += 1
        self.leave(before)
        return k

    def leave(self, before: int) -> None:
        """A planner that was in second `before` will plan nothing more."""
        self._passed[before] -= 1
        if not self._passed[before]:
            del self._passed[before]
            self._complete(min(self._passed, default=0))

    def finish(self, seconds: int) -> None:
        """Nothing more will be planned: that many seconds, and all in which there was something, are complete."""
        self._complete(max([seconds, *(k + 1 for k in self._open)]))

    def _complete(self, seconds: int) -> None:
        while self._next < seconds:
            done = self._next
            self._next += 1
            self._emit_if_settled(self._interval(done))

    def _emit_if_settled(self, interval: Interval) -> None:
        if not unsettled(interval.counts):
            del self._open[interval.k]
            self._emit(interval)
