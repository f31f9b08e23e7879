"""One connection of the generator `asyncio`: a Protocol that matches what comes in and keeps what must wait."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections import deque
from typing import Optional

from pyloadgen.errors import PeerClosed
from pyloadgen.part import Generator
from pyloadgen.stream import Request, Stream


class Owner(Generator):
    """Whom a connection tells what happens to it."""

    @abstractmethod
    def replied(self, connection: Connection, request: Request, now: int) -> None:
        """A reply to a request of the load is whole."""

    @abstractmethod
    def flush(self, connection: Connection) -> None:
        """There may be room for what waits."""

    @abstractmethod
    def lost(self, connection: Connection, error: OSError) -> None:
        """The other side has closed, or the network failed."""


class Connection(asyncio.Protocol):
    """One connection, over its whole life: what comes in is matched, what goes out waits until it may."""

    def __init__(self, client: Owner, index: int, stream: Optional[Stream] = None) -> None:
        part = client.part
        self.index = index
        self.state = "closed"  # or verifying, open
        self.stream = stream or Stream(part.recorder, part.spec.first_connection + index, part.books.integrity)
        self.waiting: deque[tuple[int, int]] = deque()  # intended, second
        self.echo: Optional[asyncio.Future[Optional[bool]]] = None  # of a record that is no load
        self._client = client
        self._transport: Optional[asyncio.Transport] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        for request in self.stream.feed(data):
            if request.k >= 0:
                self._client.replied(self, request, now)
            elif self.echo and not self.echo.done():
                self.echo.set_result(request.right)
        if self.waiting:
            self._client.flush(self)

    def connection_lost(self, error: Optional[Exception]) -> None:
        if self._transport:  # else it was we who closed
            self._client.lost(self, error if isinstance(error, OSError) else PeerClosed())

    def send(self, flags: int, intended: int, k: int = -1) -> Request:
        assert self._transport
        request = self.stream.ask(flags, intended, k)
        request.sent = time.monotonic_ns()
        self._transport.write(request.record)
        return request

    async def ask(self, flags: int, deadline: int) -> Optional[bool]:
        """Whether one echo came back right; None where there was none in time. Lost where the connection was."""
        self.echo = asyncio.get_running_loop().create_future()
        request = self.send(flags, time.monotonic_ns())
        try:
            return await asyncio.wait_for(self.echo, max(0.0, (deadline - time.monotonic_ns()) / 1e9))
        except asyncio.TimeoutError:
            request.settled = True
            return None
        finally:
            self.echo = None

    def close(self, reset: bool = True) -> None:
        transport, self._transport, self.state = self._transport, None, "closed"
        self.stream.reset()
        if transport and reset:
            transport.abort()
        elif transport:
            transport.close()
