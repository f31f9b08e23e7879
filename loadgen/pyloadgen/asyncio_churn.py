"""The churn of the generator `asyncio`: connect, echo, close, again and again."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from pyloadgen.asyncio_base import TICK_S, Base
from pyloadgen.asyncio_connection import Connection
from pyloadgen.errors import Lost
from pyloadgen.ledger import CENSORED, FAILED, SECOND, TIMED_OUT
from pyloadgen.stream import Request, Stream

BACKOFF_S = 0.05  # after a connection that could not be made


async def churn(base: Base) -> None:
    """Connect, echo, close: one request in flight for each connection of the part."""
    ticker = asyncio.ensure_future(_tick(base))
    await asyncio.gather(*(_churn_one(base, index) for index in base.part.indices()))
    ticker.cancel()
    base.abandon()


def _end(base: Base) -> int:
    intervals = base.part.spec.intervals
    return base.at + (1 << 32 if intervals is None else intervals) * SECOND


async def _tick(base: Base) -> None:
    """Seconds pass even while no request begins, and whoever waits must hear that it is to stop."""
    while True:
        base.come_to(min(time.monotonic_ns(), _end(base)))
        if base.part.stopped():
            for connection in base.connections.values():
                if connection.echo and not connection.echo.done():
                    connection.echo.set_result(None)
        await asyncio.sleep(TICK_S)


async def _churn_one(base: Base, index: int) -> None:
    """One connection after another, each with one request."""
    books, spec = base.part.books, base.part.spec
    stream = Stream(base.part.recorder, spec.first_connection + index, books.integrity)
    await base.sleep_until(base.at + spec.connect_due_ns(index))
    while not base.part.stopped() and (intended := time.monotonic_ns()) < _end(base) and books.take_quota():
        k = books.ledger.second_of(intended)
        base.come_to(intended)
        books.ledger.plan(k)
        base.owed += 1
        # What the transport before still has to say must not reach this one.
        connection = base.connections[index] = Connection(base, index, stream)
        if not await _visit(base, connection, intended, k):
            await asyncio.sleep(BACKOFF_S)


async def _visit(base: Base, connection: Connection, intended: int, k: int) -> bool:
    """One request; False where no connection could be made."""
    books, spec = base.part.books, base.part.spec
    deadline = intended + spec.timeout_ns
    try:
        took = await base.connect(connection, deadline)
    except Lost as lost:
        books.errors.add(lost, spec.first_connection + connection.index)
        base.settle(k, TIMED_OUT if lost.cause == "timeout" else FAILED)
        return False
    connection.state = "open"
    if books.in_window(k):
        books.kinds["connect"].record(took)
    connection.echo = base.loop.create_future()
    connection.waiting.append((intended, k))
    base.flush(connection)
    pending: list[Request] = list(connection.stream.pending)
    with suppress(asyncio.TimeoutError, Lost):
        await asyncio.wait_for(connection.echo, max(0.0, (deadline - time.monotonic_ns()) / 1e9))
    connection.echo = None
    for request in pending:
        if not request.settled:
            request.settled = True
            base.settle(k, CENSORED if time.monotonic_ns() < deadline else TIMED_OUT)
    connection.close(reset=False)
    return True
