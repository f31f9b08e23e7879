"""One thread of control over blocking sockets: it asks, waits for the reply, and only then thinks of the next request.

`pool` has one of these a process, `threads` one a thread. What makes it simple is what makes it lie: while it waits
for one reply it sends nothing else, so that a slow server is offered less than was asked (coordinated omission). Here
each request keeps the time for which it was intended, and its latency counts from then: `lag` shows how late it was
really sent.
"""

from __future__ import annotations

import heapq
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Optional, TypeVar

from pyloadgen.books import CENSORED, FAILED, SECOND, TIMED_OUT
from pyloadgen.channel import Channel
from pyloadgen.errors import Lost
from pyloadgen.generator import Generator
from pyloadgen.pacing import Arrival, arrivals
from pyloadgen.record import ARM, LOAD, PROVE
from pyloadgen.stream import Request

BACKOFF_NS = SECOND // 20  # after a connection that could not be made

T = TypeVar("T")


class Walker:
    """One thread of control over some connections of its process. `pause` sleeps at most so many seconds."""

    def __init__(self, owner: Generator, indices: list[int], turns: range, pause: Callable[[float], object]) -> None:
        self._owner = owner
        self._spec = owner.spec
        self._books = owner.books
        self._indices = indices
        self._turns = turns
        self._pause = pause
        self._channels: dict[int, Channel] = {}
        self._free_at = 0  # ns after the start: when the connection just used may be used again, in a closed loop

    def wait(self, until: int) -> bool:
        """Sleep until then; False where it was told to stop."""
        slept = False
        while not self._owner.stopped():
            left = until - time.monotonic_ns()
            if left <= 0:
                if slept:
                    with self._books.lock:
                        self._books.kinds["loop_lag"].record(-left)
                return True
            self._pause(left / 1e9)
            slept = True
        return False

    def _open(self) -> list[Channel]:
        return [channel for channel in self._channels.values() if channel.open]

    # Arming and proof

    def arm(self, total: int, start: int, deadline: int) -> None:
        """Connect and verify those below `total` that were not tried yet."""
        for index in self._indices:
            if index < total and index not in self._channels and self.wait(start + self._spec.connect_due_ns(index)):
                channel = self._channels[index] = Channel(self._owner, index)
                try:
                    self._arm(channel, deadline)
                except Lost as lost:
                    channel.close()
                    self._books.lost(lost, index, arming=True)

    def _arm(self, channel: Channel, deadline: int) -> None:
        if time.monotonic_ns() >= deadline:
            raise Lost("connect", "timeout")
        self._books.connected(channel.connect(deadline))
        request = Request(time.monotonic_ns())
        channel.exchange(ARM, request, deadline)
        if not request.right:
            raise Lost("verify", "timeout" if request.right is None else "mismatched")
        self._books.verified()
        if not self._spec.does.holds:
            channel.close()

    def prove(self, deadline: int) -> list[bool]:
        """Of each connection that is still open, whether it answered one echo."""
        self.look()
        right = []
        for channel in self._open():
            request = Request(time.monotonic_ns())
            try:
                channel.exchange(PROVE, request, min(deadline, request.intended + self._spec.timeout_ns))
            except Lost as lost:
                self._books.lost(lost, channel.index)
            request.settled = True
            right.append(request.right is True)
        return right

    def look(self) -> int:
        """Find out which connections the server has closed; how many are open."""
        for channel in self._open():
            try:
                channel.glance()
            except Lost as lost:
                self._books.lost(lost, channel.index)
        return len(self._open())

    # Load

    def offer(self) -> None:
        """Send each request at its intended time, or as soon after it as the one before has come back."""
        at, ledger, paced = self._owner.at, self._books.ledger, self._spec.does.paced
        second = 0
        for after, index in self._arrivals() if paced else self._rounds():
            intended = at + after
            if intended >= self._owner.end:
                break
            stopped = not self.wait(intended)
            if stopped and (not paced or intended > time.monotonic_ns()):
                break
            with self._books.lock:
                second = ledger.move(second, intended)
                request = self._books.plan(intended)
            self._request(self._channels.get(index), request)
            self._free_at = time.monotonic_ns() - at + int(self._spec.think_time * 1e9)
        with self._books.lock:
            ledger.leave(second)

    def _arrivals(self) -> Iterator[Arrival]:
        spec = self._spec
        return arrivals(spec.arrival, spec.rate, spec.phase, spec.seed, spec.first_connection, self._turns)

    def _rounds(self) -> Iterator[Arrival]:
        """Each connection when it is free again and its time to think is over; lost ones have no more turns."""
        free = [(0, index) for index in self._turns]
        while free:
            due, index = heapq.heappop(free)
            yield due, index
            channel = self._channels.get(index)
            if channel and channel.open:
                heapq.heappush(free, (self._free_at, index))

    def _request(self, channel: Optional[Channel], request: Request) -> None:
        if channel is None or not channel.open:
            self._books.settle(request, FAILED)
        elif time.monotonic_ns() >= request.intended + self._spec.timeout_ns:
            self._books.settle(request, TIMED_OUT)
        elif self._owner.stopped():
            self._books.settle(request, CENSORED)
        else:
            self._ask(channel, request)

    def _ask(self, channel: Channel, request: Request) -> None:
        books = self._books
        books.gaps.note(time.monotonic_ns())
        try:
            channel.exchange(LOAD, request, request.intended + self._spec.timeout_ns)
        except Lost as lost:
            if lost.phase != "write":
                books.sent(request)
            books.lost(lost, channel.index)
            books.settle(request, FAILED)
        else:
            now = time.monotonic_ns()
            books.sent(request)
            books.judge(request, now)

    def churn(self) -> None:
        """Connect, echo, close, again and again: one request in flight for each connection of the share."""
        ledger, second = self._books.ledger, 0
        for index in self._indices:  # a single one
            channel = self._channels.setdefault(index, Channel(self._owner, index))
            rest = self._owner.at + self._spec.connect_due_ns(index)
            while self.wait(rest) and (rest := time.monotonic_ns()) < self._owner.end:
                with self._books.lock:
                    second = ledger.move(second, rest)
                    if not self._books.take_quota():
                        break
                    request = self._books.plan(rest)
                if not self._visit(channel, request):
                    rest += BACKOFF_NS
        with self._books.lock:
            ledger.leave(second)

    def _visit(self, channel: Channel, request: Request) -> bool:
        """One request of a churn; False where no connection could be made."""
        try:
            took = channel.connect(request.intended + self._spec.timeout_ns)
        except Lost as lost:
            self._books.lost(lost, channel.index)
            self._books.settle(request, TIMED_OUT if lost.cause == "timeout" else FAILED)
            return False
        with self._books.lock:
            self._books.record("connect", request, took)
        self._request(channel, request)
        channel.close()
        return True

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()


class Blocking(Generator):
    """A process in which walkers do everything."""

    @abstractmethod
    def each(self, job: Callable[[Walker], T]) -> list[T]:
        """What every walker makes of a job."""

    def connect_all(self, total: int, start: int, deadline: int) -> None:
        self.each(lambda walker: walker.arm(total, start, deadline))

    def ask_all(self, deadline: int) -> list[bool]:
        return [right for one in self.each(lambda walker: walker.prove(deadline)) for right in one]

    def offer(self) -> None:
        self.each(Walker.offer if self.spec.does.holds else Walker.churn)

    def look(self) -> int:
        return sum(self.each(Walker.look))

    def close(self) -> None:
        self.each(Walker.close)
