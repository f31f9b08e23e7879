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
import heapq
import time
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from pyloadgen.asyncio_connection import Connection
from pyloadgen.books import CENSORED, DROPPED, FAILED, LATE, SECOND, TIMED_OUT, WAITING
from pyloadgen.errors import Lost
from pyloadgen.generator import LINGER_NS, Generator
from pyloadgen.record import ARM, LOAD, PROVE, Request

CONNECTS_AT_ONCE = 512
PROVES_AT_ONCE = 128
TICK_S = 0.05  # how often it looks for what has timed out, and whether it must stop
WORK_PER_TURN = 64  # requests planned before the loop looks for replies
SPARE_REQUESTS = 1024
BACKOFF_S = 0.05  # after a connection of a churn that could not be made

T = TypeVar("T")


class Client(Generator):
    """One process's loop and its load."""

    def __post_init__(self) -> None:
        super().__post_init__()
        spec = self.spec
        self.loop = asyncio.new_event_loop()
        self.connections: dict[int, Connection] = {}
        self._most = int(spec.rate * spec.timeout * 1.1 + spec.active * spec.pipeline) + SPARE_REQUESTS
        self._planned: deque[Request] = deque()  # in the order of their times, some of them settled
        self._second = 0
        self._due = 0  # ns; the first jobs plan no request for a time before
        self._turns: list[int] = []  # ns; a heap of when those are due that come back to a connection later
        self._goes_on = False  # a reply leads to the next request

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def connect_all(self, total: int, start: int, deadline: int) -> None:
        self.do(self._arm(total, start, deadline))

    def ask_all(self, deadline: int) -> list[bool]:
        return self.do(self._prove(deadline))

    def offer(self) -> None:
        self.do(self._offer())

    def look(self) -> int:
        now = time.monotonic_ns()
        until = max((connection.stream.undecided(now) for connection in self.connections.values()), default=0)
        self.do(self._sleep_until(min(until, now + LINGER_NS)))
        for connection in self.connections.values():
            connection.stream.sweep(time.monotonic_ns(), self.stopped())
        return len(self._open())

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()
        self.do(asyncio.sleep(0))
        self.loop.close()

    def _open(self) -> list[Connection]:
        return [connection for connection in self.connections.values() if connection.state == "open"]

    async def _sleep_until(self, t: int) -> None:
        while not (self.stopped() or self.books.spent) and (left := t - time.monotonic_ns()) > 0:
            await asyncio.sleep(min(left / 1e9, TICK_S))

    # Arming and proof

    async def _arm(self, total: int, start: int, deadline: int) -> None:
        room = asyncio.Semaphore(CONNECTS_AT_ONCE)
        tasks = []
        for index in self.indices():
            if index >= total or index in self.connections:
                continue
            await self._sleep_until(start + self.spec.connect_due_ns(index))
            await room.acquire()
            if self.stopped():
                break
            task = asyncio.ensure_future(self._arm_one(index, deadline))
            task.add_done_callback(lambda _: room.release())
            tasks.append(task)
        await asyncio.gather(*tasks)

    async def _arm_one(self, index: int, deadline: int) -> None:
        connection = self.connections[index] = Connection(self, index)
        try:
            self.books.connected(await connection.connect(deadline))
            connection.state = "verifying"
            right = await connection.ask(ARM, deadline)
            if not right:
                raise Lost("verify", "timeout" if right is None else "mismatched")
            self.books.verified()
            connection.state = "open"
        except Lost as lost:
            connection.close()
            self.books.lost(lost, index, arming=True)
        if not self.spec.does.holds:
            connection.close()

    async def _prove(self, deadline: int) -> list[bool]:
        for _ in range(3):  # what was closed since is known before anything is asked
            await asyncio.sleep(0)
        asked, heard = self._open(), time.monotonic_ns()
        right: list[bool] = []
        for first in range(0, len(asked), PROVES_AT_ONCE):
            if time.monotonic_ns() - heard >= self.spec.timeout_ns:  # mute: all others have failed too
                return [*right, *(False for _ in asked[first:])]
            some = asked[first : first + PROVES_AT_ONCE]
            found = await asyncio.gather(*(self._prove_one(connection, deadline) for connection in some))
            heard = time.monotonic_ns() if any(found) else heard
            right += found
        return right

    async def _prove_one(self, connection: Connection, deadline: int) -> bool:
        soon = min(deadline, time.monotonic_ns() + self.spec.timeout_ns)
        with suppress(Lost):
            return not self.stopped() and connection.state == "open" and await connection.ask(PROVE, soon) is True
        return False

    def lost(self, connection: Connection, error: OSError) -> None:
        """The other side has closed, or the network failed: what was asked of this connection has failed."""
        verifying = connection.state == "verifying"
        lost = Lost.of("verify" if verifying else "read", error)
        connection.stream.cut()
        asked = [*connection.stream.pending, *connection.waiting]
        connection.close()
        if not verifying:  # else whoever asks says it
            self.books.lost(lost, connection.index)
        connection.fail(lost)
        for request in asked:
            if request.k >= 0:
                self.books.settle(request, FAILED)

    # Accounts

    def _plan(self, intended: int) -> Request:
        request = self.books.plan(intended)
        self._planned.append(request)
        return request

    def _give_up(self, all_of_it: bool = False) -> None:
        """Settle what was not answered within the timeout, sent or not; and all that is left, because the load ends."""
        latest = time.monotonic_ns() - self.spec.timeout_ns
        while self._planned and (all_of_it or self._planned[0].settled or self._planned[0].intended <= latest):
            request = self._planned.popleft()
            self.books.settle(request, TIMED_OUT if request.intended <= latest else CENSORED)

    def flush(self, connection: Connection) -> None:
        """Send what waits, as far as the pipeline allows. What has timed out meanwhile is not sent any more."""
        waiting = connection.waiting
        while waiting and self._has_room(connection) and connection.state == "open":
            request = waiting.popleft()
            if request.settled or time.monotonic_ns() >= request.intended + self.spec.timeout_ns:
                self._unsent(connection, request, WAITING)
            else:
                self._send(connection, request)

    def _has_room(self, connection: Connection) -> bool:
        return len(connection.stream.pending) < self.spec.pipeline

    def _send(self, connection: Connection, request: Request) -> None:
        connection.send(LOAD, request)
        self.books.sent(request)
        self.books.gaps.note(request.sent)

    def _unsent(self, connection: Connection, request: Request, why: str) -> None:
        """Its time was over before it could be sent; no reply will lead to the next one."""
        self.books.settle(request, TIMED_OUT, unsent=why)
        self._next(connection, time.monotonic_ns())

    def replied(self, connection: Connection, request: Request, now: int) -> None:
        self.books.read([request], now)
        self.books.judge(request, now)
        self._next(connection, now)

    def _next(self, connection: Connection, now: int) -> None:
        """In a closed loop: another request follows one that is over."""
        if self._goes_on:
            self._again(connection.index, now + int(self.spec.think_time * SECOND))

    # Load

    async def _offer(self) -> None:
        """Have the jobs plan requests; meanwhile see that seconds pass and requests time out, and when to stop."""
        holds, paced = self.spec.does.holds, self.spec.does.paced
        await self._sleep_until(self.at - int(2 * TICK_S * 1e9))
        work = [self._begin_all()] if holds else [self._churn(index) for index in self.indices()]
        jobs = [asyncio.ensure_future(job) for job in work]
        self._goes_on = holds and not paced
        while not self.stopped():
            self._give_up()
            now, planned = time.monotonic_ns(), all(job.done() for job in jobs)
            first = min([now, *self._turns[:1], *([self._due] if holds and not planned else [])])
            self._second = self.books.ledger.move(self._second, first)
            if planned and not self.books.owed and (now >= self.end or not holds):
                break
            await asyncio.sleep(TICK_S)
        self._goes_on = False
        for job in jobs:
            job.cancel()
        for result in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        self._give_up(all_of_it=True)

    async def _begin_all(self) -> None:
        """Each request when it is due; of a closed loop the first ones. Others get a turn before too long."""
        turns = range(self.process, self.spec.active, self.processes)
        if not self.spec.does.paced:
            most = self.spec.active * self.spec.pipeline
            for number in range(most):  # spread over one think time, or all would for ever ask at once
                if (index := number % self.spec.active) in turns:
                    self._again(index, self.at + int(self.spec.think_time * SECOND) * number // most)
            return
        for number, (after, index) in enumerate(self.arrivals(turns)):
            self._due = intended = self.at + after
            if intended >= self.end:
                break
            left = intended - time.monotonic_ns()
            if left > 0:
                await asyncio.sleep(left / 1e9)
                self.books.kinds["loop_lag"].record(time.monotonic_ns() - intended)
            elif not number % WORK_PER_TURN:
                await asyncio.sleep(0)
            self._begin(index, self._plan(intended))

    def _again(self, index: int, due: int) -> None:
        """The next request of a connection in a closed loop, at once or when it is due."""
        if due >= self.end:
            return
        if due > time.monotonic_ns():
            heapq.heappush(self._turns, due)
            self.loop.call_at(due / 1e9, self._turn_later, index, due)
        else:
            self._turn(index, due)

    def _turn_later(self, index: int, due: int) -> None:
        heapq.heappop(self._turns)  # timers go off in the order of their times
        self._turn(index, due)

    def _turn(self, index: int, due: int) -> None:
        """A lost connection is asked no more."""
        connection = self.connections.get(index)
        if self._goes_on and connection and connection.state == "open":
            self._begin(index, self._plan(due))

    def _begin(self, index: int, request: Request) -> None:
        """The time of a request has come."""
        connection = self.connections.get(index)
        if connection is None or connection.state != "open":
            self.books.settle(request, FAILED)
        elif self.books.owed > self._most:
            self.books.settle(request, DROPPED, unsent=LATE)
        elif connection.waiting or not self._has_room(connection):
            connection.waiting.append(request)
        elif time.monotonic_ns() >= request.intended + self.spec.timeout_ns:
            self._unsent(connection, request, LATE)
        else:
            self._send(connection, request)

    async def _churn(self, index: int) -> None:
        """Connect, echo, close: one connection after another, each with one request."""
        stream = self.stream(index)
        await self._sleep_until(min(self.end, self.at + self.spec.connect_due_ns(index)))
        while (now := time.monotonic_ns()) < self.end and self.books.take_quota():
            # What the transport before still has to say must not reach this one.
            connection = self.connections[index] = Connection(self, index, stream)
            if not await self._visit(connection, self._plan(now)):
                await asyncio.sleep(BACKOFF_S)

    async def _visit(self, connection: Connection, request: Request) -> bool:
        """One request; False where no connection could be made."""
        deadline = request.intended + self.spec.timeout_ns
        try:
            took = await connection.connect(deadline)
        except Lost as lost:
            self.books.lost(lost, connection.index)
            self.books.settle(request, TIMED_OUT if lost.cause == "timeout" else FAILED)
            return False
        connection.state = "open"
        self.books.record("connect", request, took)
        connection.waiting.append(request)
        self.flush(connection)
        with suppress(Lost):
            await connection.answered(deadline)
        self.books.judge(request, time.monotonic_ns())
        connection.close()
        return True
