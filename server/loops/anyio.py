"""anyio: trio's manner over the event loop of asyncio, with a task for each connection in a task group.

Use it for a library that is to run both on asyncio and on trio. On asyncio a receive lets the transport read, waits for
bytes, and stops it again, so that each costs two changes of interest; and a checkpoint is a turn of the loop.
"""

from __future__ import annotations

import signal
import socket

import anyio
from anyio.abc import SocketStream, TaskGroup

from server.common import CHUNK_BYTES, PUBLISH_S, Intake, Stopped, Worker


async def echo(sock: socket.socket, worker: Worker) -> None:
    """One client, to the end of its input: by then all of it has been answered."""
    try:
        stream = await SocketStream.from_socket(sock)
    except (OSError, ValueError):
        sock.close()  # it broke while it waited
        return
    worker.opened()
    try:
        while True:
            data = await stream.receive(CHUNK_BYTES)
            worker.bytes_in += len(data)
            await stream.send(data)
            worker.bytes_out += len(data)
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        pass  # whatever waited is lost with what broke
    await stream.aclose()
    worker.ended()


async def take(intake: Intake, worker: Worker, group: TaskGroup) -> None:
    while True:
        await anyio.wait_readable(intake.fileno())
        for sock in intake.take():
            group.start_soon(echo, sock, worker)


async def publish(worker: Worker) -> None:
    while True:
        worker.publish()
        await anyio.sleep(PUBLISH_S)


async def serve(intake: Intake, worker: Worker) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as group:
            group.start_soon(publish, worker)
            group.start_soon(take, intake, worker, group)
            worker.begin()
            async for _ in signals:
                group.cancel_scope.cancel()


def run(intake: Intake, worker: Worker) -> None:
    anyio.run(serve, intake, worker, backend="asyncio")
    raise Stopped
