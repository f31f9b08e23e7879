"""One thread of control over blocking sockets: it asks, waits for the reply, and only then thinks of the next request.

`pool` has one of these a process, `threads` one a thread. What makes it simple is what makes it lie: while it waits
for one reply it sends nothing else, so that a slow server is offered less than was asked (coordinated omission). Here
each request keeps the time for which it was intended, and its latency counts from then: `lag` shows how late it was
really sent.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator
from typing import Optional

from pyloadgen.channel import Channel
from pyloadgen.errors import Lost
from pyloadgen.ledger import CENSORED, FAILED, MISMATCHED, SECOND, TIMED_OUT
from pyloadgen.pacing import Turns, arrivals
from pyloadgen.part import Part
from pyloadgen.record import ARM, LOAD, PROVE

BACKOFF_S = 0.05  # after a connection that could not be made


Schedule = Iterator[tuple[int, int]]  # intended time in ns after the start; connection


class Walker:
    """One thread of control over some connections of its process. `pause` sleeps at most so many seconds."""

    def __init__(self, part: Part, indices: list[int], pause: Callable[[float], object], lock: threading.Lock) -> None:
        self._part = part
        self._spec = part.spec
        self._books = part.books
        self.indices = indices
        self._pause = pause
        self._lock = lock
        self._channels: dict[int, Channel] = {}
        self._free: list[tuple[int, int]] = []  # of the closed loop: when, which
        self._again = 0  # ns after the start: when the connection just used may be used again

    def wait(self, until: int) -> bool:
        """Sleep until then; False where it was told to stop."""
        slept = False
        while not self._part.stopped():
            left = until - time.monotonic_ns()
            if left <= 0:
                if slept:
                    with self._lock:
                        self._books.kinds["loop_lag"].record(-left)
                return True
            self._pause(left / 1e9)
            slept = True
        return False

    def _open_channels(self) -> list[Channel]:
        return [channel for channel in self._channels.values() if channel.open]

    # Arming and proof

    def arm(self, total: int, start: int) -> None:
        """Connect and verify those below `total` that were not tried yet."""
        deadline = time.monotonic_ns() + int(self._spec.arm_timeout * 1e9)
        for index in self.indices:
            if index >= total or index in self._channels or not self.wait(start + self._spec.connect_due_ns(index)):
                continue
            channel = self._channels[index] = Channel(self._part, index)
            try:
                self._arm(channel, deadline)
            except Lost as lost:
                channel.close()
                with self._lock:
                    self._books.arming_failed(lost, self._spec.first_connection + index)

    def _arm(self, channel: Channel, deadline: int) -> None:
        if time.monotonic_ns() >= deadline:
            raise Lost("connect", "timeout")
        took = channel.connect(deadline)
        with self._lock:
            self._books.connect_took(took)
        request = channel.exchange(ARM, time.monotonic_ns(), deadline)
        if not request.right:
            raise Lost("verify", "timeout" if request.right is None else "mismatched")
        with self._lock:
            self._books.verified += 1
        if not self._spec.does.holds:
            channel.close()

    def prove(self) -> tuple[int, int]:
        """How many of the connections still open answered one echo, and how many did not."""
        verified = asked = 0
        deadline = time.monotonic_ns() + int(self._spec.arm_timeout * 1e9)
        self.look()
        for channel in self._open_channels():
            now = time.monotonic_ns()
            asked += 1
            try:
                request = channel.exchange(PROVE, now, min(deadline, now + self._spec.timeout_ns))
            except Lost as lost:
                self._lost(lost, channel)
                continue
            request.settled = True
            verified += request.right is True
        return verified, asked - verified

    def look(self) -> int:
        """Find out which connections the server has closed; how many are open."""
        for channel in self._open_channels():
            try:
                channel.glance()
            except Lost as lost:
                self._lost(lost, channel)
        return len(self._open_channels())

    def _lost(self, lost: Lost, channel: Channel) -> None:
        with self._lock:
            self._books.errors.add(lost, self._spec.first_connection + channel.index)

    # Load

    def schedule(self, turns: Turns) -> Schedule:
        spec = self._spec
        if not spec.does.paced:
            return self._rounds(turns)
        return arrivals(spec.arrival, spec.rate, spec.phase, spec.seed, spec.first_connection, turns)

    def _rounds(self, turns: Turns) -> Schedule:
        """Each connection when it is free again and its time to think is over; lost ones have no more turns."""
        self._free = [(0, index) for index in turns.numbers()]
        while self._free:
            due, index = heapq.heappop(self._free)
            self._again = due
            yield due, index
            channel = self._channels.get(index)
            if channel and channel.open:
                heapq.heappush(self._free, (self._again, index))

    def offer(self, at: int, schedule: Schedule) -> None:
        """Send each request at its intended time, or as soon after it as the one before has come back."""
        ledger, end = self._books.ledger, at + (self._spec.intervals or 0) * SECOND
        second = 0
        for after, index in schedule:
            intended = at + after
            if intended >= end:
                break
            stopped = not self.wait(intended)
            if stopped and (not self._spec.does.paced or intended > time.monotonic_ns()):
                break
            k = ledger.second_of(intended)
            with self._lock:
                ledger.move(second, k)
                ledger.plan(k)
            second = k
            self._request(self._channels.get(index), intended, k)
            self._again = time.monotonic_ns() - at + int(self._spec.think_time * 1e9)
        with self._lock:
            ledger.leave(second)

    def _request(self, channel: Optional[Channel], intended: int, k: int) -> None:
        deadline = intended + self._spec.timeout_ns
        if channel is None or not channel.open:
            self._settle(k, FAILED)
        elif time.monotonic_ns() >= deadline:
            self._settle(k, TIMED_OUT)
        elif self._part.stopped():
            self._settle(k, CENSORED)
        else:
            self._ask(channel, intended, deadline, k)

    def _settle(self, k: int, outcome: str) -> None:
        with self._lock:
            self._books.ledger.settle(k, outcome)

    def _ask(self, channel: Channel, intended: int, deadline: int, k: int) -> None:
        books = self._books
        sent = time.monotonic_ns()
        books.gaps.note(sent)
        try:
            request = channel.exchange(LOAD, intended, deadline, k)
        except Lost as lost:
            with self._lock:
                if lost.phase != "write":
                    books.sent(k, intended, sent)
                books.errors.add(lost, self._spec.first_connection + channel.index)
                books.ledger.settle(k, FAILED)
            return
        now = time.monotonic_ns()
        request.settled = True
        with self._lock:
            books.sent(k, intended, request.sent)
            if request.right and now < deadline:
                books.answered(k, intended, request.sent, now)
            elif request.right is False:
                books.ledger.settle(k, MISMATCHED)
            else:
                if request.right:
                    books.integrity.counts["late"] += 1
                books.ledger.settle(k, TIMED_OUT if now >= deadline else CENSORED)

    def churn(self, at: int) -> None:
        """Connect, echo, close, again and again: one request in flight for each connection of the share."""
        ledger, index = self._books.ledger, self.indices[0]
        end = at + (self._spec.intervals or 1 << 32) * SECOND
        channel = self._channels.setdefault(index, Channel(self._part, index))
        second, rest = 0, at + self._spec.connect_due_ns(index)
        while self.wait(rest) and time.monotonic_ns() < end:
            intended = rest = time.monotonic_ns()
            k = ledger.second_of(intended)
            with self._lock:
                ledger.move(second, k)
                if not self._books.take_quota():
                    break
                ledger.plan(k)
            second = k
            if not self._visit(channel, intended, k):
                rest += int(BACKOFF_S * 1e9)
        with self._lock:
            ledger.leave(second)

    def _visit(self, channel: Channel, intended: int, k: int) -> bool:
        """One request of a churn; False where no connection could be made."""
        deadline = intended + self._spec.timeout_ns
        try:
            took = channel.connect(deadline)
        except Lost as lost:
            self._lost(lost, channel)
            self._settle(k, TIMED_OUT if lost.cause == "timeout" else FAILED)
            return False
        if self._books.in_window(k):
            with self._lock:
                self._books.kinds["connect"].record(took)
        self._request(channel, intended, k)
        channel.close()
        return True

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
