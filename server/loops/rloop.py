"""rloop: asyncio's interface once more, over an event loop in Rust. The program is that of asyncio_protocol.

Use it to see how far a loop in Rust has come; it is young, and in 0.5 a program has to know more of it than of asyncio:

- `pause_writing` is called in the middle of a write, where the transport must not be asked how much is waiting: that
  ends the process. So bytes count as sent when they are handed over.
- A descriptor is closed when nobody has the transport any more, and some 30 later connections have ended. So the
  protocol lets go of it, and says the end to its peer itself.
- Each event costs two reads, the second in vain, and 256 KiB of fresh memory, as a read of asyncio's does.
- It takes no notice of a connection that is reset, and keeps it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import rloop

from server.common import Intake, Worker
from server.loops.asyncio_protocol import Client, serve


class Echo(Client, asyncio.Protocol):
    """One client. At the end of its input the transport sends what waits, and then closes, as asyncio's does."""

    def data_received(self, data: bytes) -> None:
        self.worker.bytes_in += len(data)
        self.worker.bytes_out += len(data)
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        with suppress(OSError):
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        del self.transport


class Loop(rloop.RLoop):
    """With what it lacks: for a socket, being accepted or connected is the same."""

    async def connect_accepted_socket(
        self, protocol: Callable[[], asyncio.BaseProtocol], sock: socket.socket
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        made: tuple[asyncio.BaseTransport, asyncio.BaseProtocol] = await self.create_connection(protocol, sock=sock)
        return made


def run(intake: Intake, worker: Worker) -> None:
    serve(Loop(), intake, worker, lambda: Echo(worker))
