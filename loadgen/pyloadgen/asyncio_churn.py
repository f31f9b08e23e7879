"""The loads of the generator `asyncio` that are no offer of requests at a rate: churn, and its ceiling."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from pyloadgen.asyncio_base import TICK_S, Base
from pyloadgen.asyncio_connection import Connection
from pyloadgen.errors import Lost
from pyloadgen.ledger import CENSORED, FAILED, SECOND, TIMED_OUT
from pyloadgen.record import LOAD
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


async def calibrate(base: Base) -> None:
    """Send on the connections in turn, as fast as the sockets take it, for a second."""
    await base.sleep_until(base.at)
    connections = [connection for connection in base.connections.values() if connection.state == "open"]
    part, sends = base.part, 0
    began, cpu_ns = time.monotonic_ns(), time.process_time_ns()
    while connections and time.monotonic_ns() < began + SECOND and not part.stopped():
        for connection in connections:
            number = part.spec.first_connection + connection.index
            sends += connection.push(part.recorder.encode(LOAD, number, sends, base.at))
        await asyncio.sleep(0)
    wall_ns = time.monotonic_ns() - began
    part.books.ceiling = {"sends": sends, "wall_ns": wall_ns, "cpu_ns": time.process_time_ns() - cpu_ns}
