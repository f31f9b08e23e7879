"""What every load of the generator `asyncio` stands on: one loop, its connections, and what they were asked."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from pyloadgen.asyncio_connection import Connection, Owner
from pyloadgen.errors import Lost
from pyloadgen.ledger import CENSORED, FAILED, SECOND, TIMED_OUT
from pyloadgen.part import Part
from pyloadgen.record import ARM, PROVE
from pyloadgen.stream import Request

CONNECTS_AT_ONCE = 512
PROVES_AT_ONCE = 128
TICK_S = 0.05  # how often it looks for what has timed out, and whether it must stop

T = TypeVar("T")


class Base(Owner):
    """One process's loop."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.loop = asyncio.new_event_loop()
        self.connections: dict[int, Connection] = {}
        self.unsettled: deque[Request] = deque()  # in the order of their times, those already settled included
        self.due: dict[int, tuple[int, int]] = {}  # of a closed loop: time and second of each connection's next request
        self.owed = 0  # requests that are not settled
        self.at = 0
        self._second = 0

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def arm(self, total: int, start: int) -> None:
        self.do(self._arm(total, start))

    def prove(self) -> tuple[int, int]:
        return self.do(self._prove())

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()
        self.do(asyncio.sleep(0))
        self.loop.close()

    # Arming and proof

    async def _arm(self, total: int, start: int) -> None:
        deadline = time.monotonic_ns() + int(self.part.spec.arm_timeout * 1e9)
        room = asyncio.Semaphore(CONNECTS_AT_ONCE)
        tasks = []
        for index in self.part.indices():
            if index >= total or index in self.connections:
                continue
            await self.sleep_until(start + self.part.spec.connect_due_ns(index))
            await room.acquire()
            if self.part.stopped():
                break
            task = asyncio.ensure_future(self._arm_one(index, deadline))
            task.add_done_callback(lambda _: room.release())
            tasks.append(task)
        await asyncio.gather(*tasks)

    async def sleep_until(self, t: int) -> None:
        while not self.part.stopped() and (left := t - time.monotonic_ns()) > 0:
            await asyncio.sleep(min(left / 1e9, TICK_S))

    async def _arm_one(self, index: int, deadline: int) -> None:
        connection = self.connections[index] = Connection(self, index)
        books, spec = self.part.books, self.part.spec
        try:
            books.connect_took(await self.connect(connection, deadline))
            connection.state = "verifying"
            right = await connection.ask(ARM, deadline)
            if not right:
                raise Lost("verify", "timeout" if right is None else "mismatched")
            books.verified += 1
            connection.state = "open"
        except Lost as lost:
            connection.close()
            books.arming_failed(lost, spec.first_connection + index)
        if not spec.does.holds:
            connection.close()

    async def connect(self, connection: Connection, deadline: int) -> int:
        """Make the handshake; how many ns it took."""
        addresses, index = self.part.addresses, connection.index
        began = time.monotonic_ns()
        sock = None
        try:
            sock = addresses.open(index)
            sock.setblocking(False)
            handshake = self.loop.sock_connect(sock, addresses.target(index)[1])
            await asyncio.wait_for(handshake, max(0.001, (deadline - began) / 1e9))
            took = time.monotonic_ns() - began
            await self.loop.create_connection(lambda: connection, sock=sock)
        except (OSError, asyncio.TimeoutError) as error:
            if sock:
                sock.close()
            raise (
                Lost("connect", "timeout") if isinstance(error, asyncio.TimeoutError) else Lost.of("connect", error)
            ) from None
        return took

    async def _prove(self) -> tuple[int, int]:
        for _ in range(3):  # what was closed since is known before anything is asked
            await asyncio.sleep(0)
        asked = [connection for connection in self.connections.values() if connection.state == "open"]
        deadline = time.monotonic_ns() + int(self.part.spec.arm_timeout * 1e9)
        verified = 0
        for first in range(0, len(asked), PROVES_AT_ONCE):
            if not self.part.stopped():
                some = asked[first : first + PROVES_AT_ONCE]
                verified += sum(await asyncio.gather(*(self._prove_one(connection, deadline) for connection in some)))
        return verified, len(asked) - verified

    async def _prove_one(self, connection: Connection, deadline: int) -> bool:
        soon = min(deadline, time.monotonic_ns() + self.part.spec.timeout_ns)
        with suppress(Lost):
            return connection.state == "open" and await connection.ask(PROVE, soon) is True
        return False

    def lost(self, connection: Connection, error: OSError) -> None:
        """The other side has closed, or the network failed: what was asked of this connection has failed."""
        lost = Lost.of("verify" if connection.state == "verifying" else "read", error)
        connection.stream.cut()
        failed = [request for request in connection.stream.pending if request.k >= 0 and not request.settled]
        waiting, connection.waiting = connection.waiting, deque()
        state, connection.state = connection.state, "closed"
        connection.close()
        if state != "verifying":  # else whoever asks says it
            self.part.books.errors.add(lost, self.part.spec.first_connection + connection.index)
        if connection.echo and not connection.echo.done():
            connection.echo.set_exception(lost)
        for request in failed:
            self.settle(request.k, FAILED)
            request.settled = True
        if connection.index in self.due:
            waiting.append(self.due.pop(connection.index))
        for _, k in waiting:
            self.settle(k, FAILED)

    # Accounts

    def come_to(self, t: int) -> None:
        """Nothing more is planned before t."""
        k = max(0, (t - self.at) // SECOND)
        self.part.books.ledger.move(self._second, k)
        self._second = max(self._second, k)

    def settle(self, k: int, outcome: str) -> None:
        self.owed -= 1
        self.part.books.ledger.settle(k, outcome)

    def expire(self, now: int) -> None:
        """Give up what was not answered within the timeout, sent or not."""
        timeout = self.part.spec.timeout_ns
        while self.unsettled and (self.unsettled[0].settled or self.unsettled[0].intended + timeout <= now):
            request = self.unsettled.popleft()
            if not request.settled:
                request.settled = True
                self.settle(request.k, TIMED_OUT)
        for connection in self.connections.values():
            while connection.waiting and connection.waiting[0][0] + timeout <= now:
                self.settle(connection.waiting.popleft()[1], TIMED_OUT)

    def abandon(self) -> None:
        """Settle all that is left, because the load ends early."""
        now = time.monotonic_ns()
        self.expire(now)
        for request in self.unsettled:
            if not request.settled:
                request.settled = True
                self.settle(request.k, CENSORED)
        self.unsettled.clear()
        for _, k in self.due.values():
            self.settle(k, CENSORED)
        self.due.clear()
        for connection in self.connections.values():
            while connection.waiting:
                self.settle(connection.waiting.popleft()[1], CENSORED)
