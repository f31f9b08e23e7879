"""asyncio, a buffered protocol: the event loop reads into a buffer of the program's, which is then the answer.

Use it instead of a plain protocol wherever the bytes can be worked on where they lie: none are made for a read, and the
buffer stays small and warm where asyncio's own is 256 KiB, which can halve the cost of an echo. All connections share
one, since a loop reads for one at a time. A transport may keep a view of what it could not send (since Python 3.12 it
does), so a buffer that was not sent whole is left to it, and another takes its place.
"""

from __future__ import annotations

import asyncio

from server.common import CHUNK_BYTES, Intake, Worker
from server.loops.asyncio_protocol import Client, serve


class Buffer:
    """The one that is read into next."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.view = memoryview(bytearray(CHUNK_BYTES))


class Echo(Client, asyncio.BufferedProtocol):
    """One client, which answers with what the loop has read into the buffer."""

    def __init__(self, worker: Worker, buffer: Buffer) -> None:
        super().__init__(worker)
        self.buffer = buffer

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self.buffer.view

    def buffer_updated(self, size: int) -> None:
        self.worker.bytes_in += size
        self.worker.bytes_out += size
        self.transport.write(self.buffer.view[:size])

    def pause_writing(self) -> None:
        self.buffer.renew()
        super().pause_writing()


def run(intake: Intake, worker: Worker) -> None:
    buffer = Buffer()
    serve(asyncio.new_event_loop(), intake, worker, lambda: Echo(worker, buffer))
