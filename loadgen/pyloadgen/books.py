"""All that one process of a generator keeps account of, as it goes to the agent, and how the agent adds it up."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from contracts.declared import COUNTS, SETTLED
from pyloadgen import host
from pyloadgen.errors import Loss, Lost
from pyloadgen.histogram import Histogram
from pyloadgen.record import Request, no_integrity
from pyloadgen.spec import Spec

# Outcomes of a request.
ANSWERED, TIMED_OUT, CENSORED = "answered", "timed_out", "censored"
DROPPED, MISMATCHED, FAILED = "dropped", "mismatched", "failed"
# Why a request was never sent: its connection was busy or closed, or it was free and the generator came too late.
WAITING, LATE = "unsent_waiting", "unsent_late"
SECOND = 1_000_000_000

KINDS = ("service", "lag", "connect", "loop_lag")
SYN_RETRY_NS = {"3": 7 * SECOND, "2": 3 * SECOND, "1": SECOND}  # as long as three, two, one lost SYN take
SLICES = 64  # of the window, in each of which some gaps between sends are kept
GAPS = 32
MOST_GAPS = SLICES * GAPS

Report = dict[str, Any]


class Interval(NamedTuple):
    """One second, of which every request is settled."""

    k: int
    counts: dict[str, int]
    response: Histogram

    def settled(self) -> bool:
        return self.counts["planned"] == sum(self.counts[outcome] for outcome in SETTLED)


class Ledger:
    """The seconds that are not settled yet. `planners` threads or loops plan requests, each in the order of time.

    A planner passes a second no sooner than the clock does, and reads no more replies in it then. A second is emitted
    when each planner has passed it and its last request is settled. It holds no lock: threads that share it bring one.
    """

    def __init__(self, at: int, planners: int, limit: int | None, emit: Callable[[Interval], None]) -> None:
        self._at = at
        self._limit = limit  # how many seconds there are; None: as many as it takes
        self._emit = emit
        self._passed = Counter({0: planners})  # planners, by the second that they have come to
        self._open: dict[int, Interval] = {}
        self._next = 0  # the first second that has not been passed by all
        self.last_reply = 0  # ns; when the last right one was read; 0: none was

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

    def arrived(self, now: int) -> None:
        """A right reply was read now. After the last second nobody counts it."""
        k = self.second_of(now)
        if k != self._limit:
            self._interval(max(k, self._next)).counts["arrived"] += 1
            self.last_reply = max(self.last_reply, now)

    def settle(self, k: int, outcome: str, response_ns: int = 0, unsent: str = "") -> None:
        """Give a request of that second its outcome, and say by which name it counts if it was never sent."""
        interval = self._open[k]
        interval.counts[outcome] += 1
        if unsent:
            interval.counts[unsent] += 1
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
        if interval.settled():
            del self._open[interval.k]
            self._emit(interval)


class SendGaps:
    """Times between consecutive sends, a sample spread evenly over the window."""

    def __init__(self, start: int, length: int) -> None:
        self._start, self._length = start, length
        self._times: list[list[int]] = [[] for _ in range(SLICES)]

    def note(self, now: int) -> None:
        index = (now - self._start) * SLICES // self._length
        if 0 <= index < SLICES and len(self._times[index]) <= GAPS:
            self._times[index].append(now)

    def gaps(self) -> list[int]:
        """Threads note their sends nearly in order, so they are sorted first."""
        ordered = map(sorted, self._times)
        return [later - earlier for times in ordered for earlier, later in zip(times, times[1:])]


class Books:
    """The accounts of one process; its threads share them under one lock."""

    def __init__(self, spec: Spec, quota: float = math.inf) -> None:
        self._spec = spec
        self._quota = quota  # requests of a churn that may still begin
        self.spent = False  # none may
        self.lock = threading.RLock()
        self.errors: dict[str, Loss] = {}
        self.integrity = no_integrity()
        self.kinds = {kind: Histogram() for kind in KINDS}
        self.armed: Report = {
            "connected": 0,
            "verified": 0,
            "failed": Counter(),
            "syn_retries": dict.fromkeys("123", 0),
        }
        self.owed = 0  # requests that are not settled
        self.ledger: Ledger
        self.gaps: SendGaps
        self.sends: list[int] = []  # the first and the last
        self.left = 0  # requests that were sent within the window, whenever they were due

    def begin(self, at: int, planners: int, emit: Callable[[Interval], None]) -> None:
        self.ledger = Ledger(at, planners, self._spec.intervals, emit)
        self.gaps = SendGaps(at + self._spec.warmup * SECOND, self._spec.duration * SECOND)
        self._before = host.used()

    # Connections

    def connected(self, ns: int) -> None:
        """A handshake at arming took so long."""
        with self.lock:
            self.armed["connected"] += 1
            self.kinds["connect"].record(ns)
            lost_syns = next((count for count, least in SYN_RETRY_NS.items() if ns >= least), None)
            if lost_syns:
                self.armed["syn_retries"][lost_syns] += 1

    def verified(self) -> None:
        with self.lock:
            self.armed["verified"] += 1

    def lost(self, lost: Lost, index: int, arming: bool = False) -> None:
        with self.lock:
            if lost.name not in self.errors:
                self.errors[lost.name] = Loss.of(lost, self._spec.first_connection + index)
            self.errors[lost.name].count += 1
            if arming:
                self.armed["failed"][lost.name] += 1

    # Requests

    def take_quota(self) -> bool:
        """Whether one more request of a churn may begin."""
        with self.lock:
            self._quota -= 1
            self.spent = self._quota <= 0
            return self._quota >= 0

    def plan(self, intended: int) -> Request:
        with self.lock:
            request = Request(intended, self.ledger.plan(intended))
            self.owed += 1
            return request

    def sent(self, request: Request) -> None:
        now = request.sent
        with self.lock:
            request.left = True
            self.ledger.sent(request.k)
            self.record("lag", request, now - request.intended)
            k = self.ledger.second_of(now)
            self.left += k >= self._spec.warmup and k != self._spec.intervals
            sends = (now, *self.sends)
            self.sends = [min(sends), max(sends)]

    def record(self, kind: str, request: Request, ns: int) -> None:
        """A time that belongs to a request, unless that is of the warm-up; whoever calls holds the lock."""
        if request.k >= self._spec.warmup:
            self.kinds[kind].record(ns)

    def read(self, replies: list[Request], now: int) -> None:
        """Whole replies to these were read now, in time or late."""
        right = [request for request in replies if request.right and request.k >= 0]
        with self.lock:
            for _ in right:
                self.ledger.arrived(now)

    def settle(self, request: Request, outcome: str, response_ns: int = 0, unsent: str = WAITING) -> None:
        """Give a request its outcome, unless it has one; `unsent` is why it was never sent, if it was not."""
        with self.lock:
            if not request.settled:
                request.settled = True
                self.owed -= 1
                self.ledger.settle(request.k, outcome, response_ns, "" if request.left else unsent)

    def judge(self, request: Request, now: int, unsent: str = WAITING) -> None:
        """Settle a request that nobody waits for any more, since its reply, its timeout or the end has come."""
        with self.lock:
            if request.settled:
                return
            if now >= request.intended + self._spec.timeout_ns:
                self.integrity["late"] += request.right is True
                self.settle(request, TIMED_OUT, unsent=unsent)
            elif request.right:
                self.record("service", request, now - request.sent)
                self.settle(request, ANSWERED, now - request.intended)
            else:
                self.settle(request, CENSORED if request.right is None else MISMATCHED, unsent=unsent)

    def report(self, still_open: int) -> Report:
        """Everything but the intervals, which went one by one."""
        armed = self.armed["verified"]
        lost = armed - still_open if self._spec.does.holds else 0
        return {
            "connections": {"armed": armed, "open": still_open, "lost": lost}, "integrity": self.integrity,
            "errors": self.errors, "gaps": self.gaps.gaps(), "kinds": self.kinds, "used": host.since(self._before),
            "sends": self.sends, "left": self.left,
            "replies": [self.ledger.last_reply] if self.ledger.last_reply else [],
        }  # fmt: skip


def total(parts: Sequence[Any]) -> Any:
    """What all processes say together: mappings by key, lists in a row, everything else added up."""
    first = parts[0]
    if isinstance(first, dict):
        keys = dict.fromkeys(key for part in parts for key in part)
        return {key: total([part[key] for part in parts if key in part]) for key in keys}
    if isinstance(first, list):
        return [item for part in parts for item in part]
    return sum(parts[1:], first)
