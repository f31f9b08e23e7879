"""`asyncio`: one event loop, and a Protocol for each connection; a request is sent when its time has come.

Use it for a Python program that must hold many connections: nothing waits for a reply before it sends elsewhere,
several requests may be outstanding on one connection, and an idle connection costs some 5 KB. It is an honest open
loop as long as the loop is not busy.

It costs 50 µs and more for each request, so that one processor is full below 20,000 requests a second, and then every
send is late: `lag` shows it. And even an idle loop is late: asyncio hands the kernel its waits in whole milliseconds,
rounded up, so that a request is sent up to 1 ms after its time. The Go generator waits in nanoseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Optional

from pyloadgen.asyncio_base import TICK_S, Base
from pyloadgen.asyncio_churn import churn
from pyloadgen.asyncio_connection import Connection
from pyloadgen.books import Report
from pyloadgen.ledger import DROPPED, FAILED, MISMATCHED, SECOND, TIMED_OUT, Interval
from pyloadgen.pacing import Arrival, arrivals
from pyloadgen.part import Part
from pyloadgen.record import LOAD
from pyloadgen.stream import Request

WORK_PER_TURN = 64  # requests planned before the loop looks for replies
SPARE_REQUESTS = 1024


class Client(Base):
    """One process's load."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        spec = part.spec
        self._most = int(spec.rate * spec.timeout * 1.1 + spec.active * spec.pipeline) + SPARE_REQUESTS
        self._waited = 0  # for what time
        self._arrivals: Iterator[Arrival] = iter(())
        self._next: Optional[Arrival] = None
        self._end = 0
        self._planning = False

    def run(self, at: int, emit: Callable[[Interval], None]) -> Report:
        books = self.part.books
        books.begin(at, planners=1, emit=emit)
        self.at = at
        self.do(self._offer() if self.part.spec.does.holds else churn(self))
        books.ledger.finish(self.part.seconds(at))
        for connection in self.connections.values():
            connection.stream.sweep()
        books.open = sum(connection.state == "open" for connection in self.connections.values())
        return books.report()

    async def _offer(self) -> None:
        spec, turns = self.part.spec, self.part.turns()
        self._end = self.at + (spec.intervals or 0) * SECOND
        await self.sleep_until(self.at - int(2 * TICK_S * 1e9))
        self._planning = True
        if not spec.does.paced:
            for index in turns.numbers():
                self._again(index, self.at)
        else:
            self._arrivals = arrivals(spec.arrival, spec.rate, spec.phase, spec.seed, spec.first_connection, turns)
            self._next = next(self._arrivals, None)
            self.loop.call_at(self.at / 1e9, self._pump)
        while not self.part.stopped():
            now = time.monotonic_ns()
            self.expire(now)
            if not spec.does.paced or self._next is None:
                self.come_to(min(now, self._end))
            if now >= self._end and not self.owed and (self._next is None or self.at + self._next[0] >= self._end):
                break
            await asyncio.sleep(TICK_S)
        self._planning = False
        self.abandon()

    def _pump(self) -> None:
        """Plan what is due, but not so much that replies would have to wait for long; then come back for the next."""
        if not self._planning or self._next is None:
            return
        now = time.monotonic_ns()
        if self._waited:
            self.part.books.kinds["loop_lag"].record(now - self._waited)
        for _ in range(WORK_PER_TURN):
            intended = self.at + self._next[0]
            if intended > time.monotonic_ns() or intended >= self._end:
                break
            self._plan(self._next[1], intended)
            self._next = next(self._arrivals)
        intended = self.at + self._next[0]
        self.come_to(min(intended, self._end))
        if intended < self._end:
            now = time.monotonic_ns()
            self._waited = intended if intended > now else 0
            self.loop.call_at(intended / 1e9, self._pump)

    def _plan(self, index: int, intended: int) -> None:
        ledger = self.part.books.ledger
        k = ledger.second_of(intended)
        self.come_to(intended)
        ledger.plan(k)
        self.owed += 1
        self._request(index, intended, k)

    def _request(self, index: int, intended: int, k: int) -> None:
        connection = self.connections.get(index)
        if connection is None or connection.state != "open":
            self.settle(k, FAILED)
        elif self.owed > self._most:
            self.settle(k, DROPPED)
        else:
            connection.waiting.append((intended, k))
            self.flush(connection)

    def flush(self, connection: Connection) -> None:
        """Send what waits, as far as the pipeline allows. What has timed out meanwhile is not sent any more."""
        spec, books = self.part.spec, self.part.books
        while connection.waiting and len(connection.stream.pending) < spec.pipeline and connection.state == "open":
            intended, k = connection.waiting.popleft()
            if time.monotonic_ns() >= intended + spec.timeout_ns:
                self.settle(k, TIMED_OUT)
                continue
            request = connection.send(LOAD, intended, k)
            books.sent(k, intended, request.sent)
            books.gaps.note(request.sent)
            self.unsettled.append(request)

    def replied(self, connection: Connection, request: Request, now: int) -> None:
        books = self.part.books
        request.settled = True
        self.owed -= 1
        if now >= request.intended + self.part.spec.timeout_ns:
            books.integrity.counts["late"] += request.right is True
            books.ledger.settle(request.k, TIMED_OUT)
        elif request.right:
            books.answered(request.k, request.intended, request.sent, now)
        else:
            books.ledger.settle(request.k, MISMATCHED)
        if connection.echo and not connection.echo.done():  # of a churn
            connection.echo.set_result(request.right)
        elif self._planning and not self.part.spec.does.paced:
            self._again(connection.index, now + int(self.part.spec.think_time * 1e9))

    def _again(self, index: int, due: int) -> None:
        """Plan the next request of a connection in a closed loop."""
        if due >= self._end:
            return
        ledger = self.part.books.ledger
        k = ledger.second_of(due)
        ledger.plan(k)
        self.owed += 1
        self.due[index] = due, k
        if due <= time.monotonic_ns():
            self._ask_again(index)
        else:
            self.loop.call_at(due / 1e9, self._ask_again, index)

    def _ask_again(self, index: int) -> None:
        if self._planning and index in self.due:
            self._request(index, *self.due.pop(index))
