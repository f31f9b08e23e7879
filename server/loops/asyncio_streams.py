"""asyncio, streams: one coroutine for each connection, which reads as if it were alone.

Use it by default in asyncio: the code is the plainest there is. Each read and each write passes through a buffer and a
task switch, which makes a small echo up to twice as dear as with a protocol. `drain` is what holds a fast sender
back; without it the writer keeps everything. Its high-water mark is 0 here, so it waits until all has been sent.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from server.common import CHUNK_BYTES, Intake, Worker
from server.loops.asyncio_protocol import serve


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, worker: Worker) -> None:
    """One client, to the end of its input: by then all of it has been answered."""
    worker.opened()
    writer.transport.set_write_buffer_limits(high=0)
    try:
        while data := await reader.read(CHUNK_BYTES):
            worker.bytes_in += len(data)
            writer.write(data)
            await writer.drain()
            worker.bytes_out += len(data)
    except OSError:
        pass  # broken: whatever waited is lost with it
    except asyncio.CancelledError:
        writer.transport.abort()  # the server ends; close() would wait for a peer that does not read
        return
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    worker.ended()


def run(intake: Intake, worker: Worker) -> None:
    loop = asyncio.new_event_loop()

    def protocol() -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=CHUNK_BYTES, loop=loop)
        return asyncio.StreamReaderProtocol(reader, lambda reader, writer: echo(reader, writer, worker), loop=loop)

    try:
        serve(loop, intake, worker, protocol)
    finally:
        cancel_all(loop)


def cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """End the tasks of a loop that has stopped: one that is simply forgotten complains about it."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:  # gather() of none belongs to no loop
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
