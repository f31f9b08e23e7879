"""asyncio, a protocol: the event loop calls a method when bytes have come, with no coroutine in between.

Use it where a program lives in asyncio anyway, and its streams are too slow. The transport sends at once and keeps what
the peer does not take; the protocol must stop reading then, or the transport keeps everything. What the kernel gave
arrives as bytes of up to 256 KiB (`max_size`, an attribute of the transport's class). Memory of that size is asked for,
and mostly given back, for every read, and the page faults of it can cost more than all the rest.

Connections are accepted outside of asyncio, whose own server retries without end when there are no descriptors left.
"""

from __future__ import annotations

import asyncio
import signal
from asyncio import selector_events
from collections.abc import Callable

from server.common import PUBLISH_S, Intake, Stopped, Worker


class Client(asyncio.BaseProtocol):
    """Counts, and reads no more while anything waits to be sent. What it does with bytes is the subclass's.

    A high-water mark of 0 makes the transport say at once when a write was short.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.waiting = 0  # bytes that the transport keeps

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it writes, too
        self.transport = transport
        transport.set_write_buffer_limits(high=0)
        self.worker.opened()

    def pause_writing(self) -> None:
        self.waiting = self.transport.get_write_buffer_size()
        self.worker.bytes_out -= self.waiting
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.worker.bytes_out += self.waiting
        self.transport.resume_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        self.worker.ended()


class Echo(Client, asyncio.Protocol):
    """One client. At the end of its input the transport sends what waits, and then closes (eof_received as it is)."""

    def data_received(self, data: bytes) -> None:
        self.worker.bytes_in += len(data)
        self.worker.bytes_out += len(data)  # pause_writing takes back what was not sent
        self.transport.write(data)


def run(intake: Intake, worker: Worker) -> None:
    # A class attribute, which no other transport of this process minds; typeshed does not know the class.
    selector_events._SelectorSocketTransport.max_size = worker.read_bytes  # type: ignore[attr-defined]
    serve(asyncio.new_event_loop(), intake, worker, lambda: Echo(worker))


def serve(
    loop: asyncio.AbstractEventLoop, intake: Intake, worker: Worker, protocol: Callable[[], asyncio.BaseProtocol]
) -> None:
    """Give every newcomer a protocol, until a signal comes."""
    beginning = set()

    def take() -> None:
        for sock in intake.take():
            task = loop.create_task(loop.connect_accepted_socket(protocol, sock))
            beginning.add(task)  # the loop itself does not keep its tasks
            task.add_done_callback(beginning.discard)

    def publish() -> None:
        worker.publish()
        loop.call_later(PUBLISH_S, publish)

    # An exception out of a signal handler would end one callback and not the loop, so the handler stops the loop.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, loop.stop)
    loop.add_reader(intake.fileno(), take)
    publish()
    worker.begin()
    loop.run_forever()
    raise Stopped
