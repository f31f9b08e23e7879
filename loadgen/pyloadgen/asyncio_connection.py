"""One connection of the generator `asyncio`: a Protocol that matches what comes in and keeps what must wait."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Optional, Protocol

from pyloadgen.errors import Lost, PeerClosed
from pyloadgen.generator import Addresses
from pyloadgen.record import Request, Stream


class Client(Protocol):
    """What a connection tells of itself, and asks."""

    addresses: Addresses

    def stream(self, index: int) -> Stream: ...
    def replied(self, connection: Connection, request: Request, now: int) -> None: ...
    def flush(self, connection: Connection) -> None: ...
    def lost(self, connection: Connection, error: OSError) -> None: ...


class Connection(asyncio.Protocol):
    """One connection, over its whole life: what comes in is matched, what goes out waits until it may."""

    def __init__(self, client: Client, index: int, stream: Optional[Stream] = None) -> None:
        self.index = index
        self.state = "closed"  # or verifying, open
        self.stream = stream or client.stream(index)
        self.waiting: deque[Request] = deque()  # planned, not sent
        self._client = client
        self._transport: Optional[asyncio.Transport] = None
        self._echo: Optional[asyncio.Future[Optional[bool]]] = None  # of the one record that somebody waits for

    async def connect(self, deadline: int) -> int:
        """Make the handshake; how many ns it took."""
        loop, sock = asyncio.get_running_loop(), None
        began = time.monotonic_ns()
        try:
            sock, target = self._client.addresses.open(self.index)
            sock.setblocking(False)
            handshake = loop.sock_connect(sock, target)
            await asyncio.wait_for(handshake, max(0.001, (deadline - began) / 1e9))
            took = time.monotonic_ns() - began
            await loop.create_connection(lambda: self, sock=sock)
        except (OSError, asyncio.TimeoutError) as error:
            if sock:
                sock.close()
            # asyncio's TimeoutError is no OSError before Python 3.11.
            raise Lost.of("connect", error if isinstance(error, OSError) else TimeoutError()) from None
        return took

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        for request in self.stream.feed(data, now):
            awaited = not request.settled
            if request.k >= 0:
                self._client.replied(self, request, now)
            if awaited and self._echo and not self._echo.done():
                self._echo.set_result(request.right)
        if self.waiting:
            self._client.flush(self)

    def connection_lost(self, error: Optional[Exception]) -> None:
        if self._transport:  # else it was we who closed
            self._client.lost(self, error if isinstance(error, OSError) else PeerClosed())

    def send(self, flags: int, request: Request) -> None:
        assert self._transport
        record = self.stream.ask(request, flags)
        request.sent = time.monotonic_ns()
        self._transport.write(record)

    async def answered(self, deadline: int) -> Optional[bool]:
        """Whether the reply to what was just sent is right; None: none came in time. Lost where the connection was."""
        self._echo = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self._echo, max(0.0, (deadline - time.monotonic_ns()) / 1e9))
        except asyncio.TimeoutError:
            return None
        finally:
            self._echo = None

    async def ask(self, flags: int, deadline: int) -> Optional[bool]:
        """Send a record that is no load; what `answered` says of it."""
        request = Request(time.monotonic_ns())
        self.send(flags, request)
        right = await self.answered(deadline)
        request.settled = True
        return right

    def fail(self, lost: Lost) -> None:
        """Whoever waits for a reply waits no longer."""
        if self._echo and not self._echo.done():
            self._echo.set_exception(lost)

    def close(self) -> None:
        transport, self._transport, self.state = self._transport, None, "closed"
        self.stream.reset(time.monotonic_ns())
        if transport:
            transport.abort()
