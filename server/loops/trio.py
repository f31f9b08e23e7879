"""trio: one task for each connection, all in a nursery that no task outlives.

Use it where it matters most that nothing is forgotten: an error in any task ends the nursery, cancelling reaches every
task at its next checkpoint, and every call on a stream is one. That care is written in Python, and makes a small echo
the dearest here.
"""

from __future__ import annotations

import signal

import trio

from server.common import CHUNK_BYTES, PUBLISH_S, Intake, Stopped, Worker


async def echo(stream: trio.SocketStream, worker: Worker) -> None:
    """One client, to the end of its input: by then all of it has been answered."""
    worker.opened()
    try:
        while data := await stream.receive_some(CHUNK_BYTES):
            worker.bytes_in += len(data)
            await stream.send_all(data)
            worker.bytes_out += len(data)
    except trio.BrokenResourceError:
        pass  # whatever waited is lost with it
    await stream.aclose()  # not `async with`: at the server's end thousands would be closed one by one
    worker.ended()


async def take(intake: Intake, worker: Worker, nursery: trio.Nursery) -> None:
    while True:
        await trio.lowlevel.wait_readable(intake.fileno())
        for sock in intake.take():
            nursery.start_soon(echo, trio.SocketStream(trio.socket.from_stdlib_socket(sock)), worker)


async def publish(worker: Worker) -> None:
    while True:
        worker.publish()
        await trio.sleep(PUBLISH_S)


async def serve(intake: Intake, worker: Worker) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish, worker)
            nursery.start_soon(take, intake, worker, nursery)
            worker.begin()
            async for _ in signals:
                nursery.cancel_scope.cancel()


def run(intake: Intake, worker: Worker) -> None:
    trio.run(serve, intake, worker)
    raise Stopped
