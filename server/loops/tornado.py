"""Tornado: a coroutine for each connection, which reads and writes through an IOStream.

Use it where a program lives in Tornado, whose loop is asyncio's by now. An IOStream has buffers of its own: each read
makes a new one of `read_chunk_size` bytes (64 KiB unless told otherwise), and fills it with zeros first.

At the end of its input an IOStream closes, whatever it has still to send. So the stream here does not read while it
writes: then it meets the end only when all has been answered.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Union

from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.iostream import IOStream, StreamClosedError

from server.common import CHUNK_BYTES, PUBLISH_S, Intake, Stopped, Worker
from server.loops.asyncio_streams import cancel_all


class Stream(IOStream):
    """An IOStream that reads nothing while an answer waits."""

    def read_from_fd(self, buf: Union[bytearray, memoryview]) -> int | None:
        return None if self.writing() else super().read_from_fd(buf)


async def echo(stream: Stream, worker: Worker) -> None:
    """One client, to the end of its input: by then all of it has been answered."""
    worker.opened()
    with suppress(StreamClosedError):  # ended or broken: whatever waited is lost with it
        while True:
            data = await stream.read_bytes(CHUNK_BYTES, partial=True)
            worker.bytes_in += len(data)
            await stream.write(data)
            worker.bytes_out += len(data)
    stream.close()
    worker.ended()


def run(intake: Intake, worker: Worker) -> None:
    loop = IOLoop()
    asyncio_loop: asyncio.AbstractEventLoop = loop.asyncio_loop

    def take(_fd: int, _events: int) -> None:
        for sock in intake.take():
            loop.add_callback(echo, Stream(sock, read_chunk_size=CHUNK_BYTES), worker)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio_loop.add_signal_handler(number, loop.stop)
    loop.add_handler(intake.fileno(), take, IOLoop.READ)
    PeriodicCallback(worker.publish, PUBLISH_S * 1000).start()
    worker.begin()
    loop.start()
    cancel_all(asyncio_loop)
    raise Stopped
