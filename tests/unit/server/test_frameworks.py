"""What the tests on the wire cannot show of the loops of frameworks."""

import asyncio
from collections.abc import Callable

from server.common import Worker
from server.loops.asyncio_buffered import Buffer, Echo


class Stuck(asyncio.Transport):
    """Sends nothing, and keeps the views that it is given, as asyncio does from Python 3.12 on."""

    def __init__(self, pause: Callable[[], None]) -> None:
        super().__init__()
        self.kept: list[memoryview] = []
        self.pause = pause
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high, low) == (0, None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.kept.append(memoryview(data))
        self.pause()

    def get_write_buffer_size(self) -> int:
        return sum(len(view) for view in self.kept)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def connected(worker: Worker, buffer: Buffer) -> tuple[Echo, Stuck]:
    protocol = Echo(worker, buffer)
    transport = Stuck(protocol.pause_writing)
    protocol.connection_made(transport)
    return protocol, transport


def arrive(protocol: Echo, data: bytes) -> None:
    protocol.get_buffer(-1)[: len(data)] = data
    protocol.buffer_updated(len(data))


def test_a_buffer_that_was_not_sent_is_not_read_into_again() -> None:
    worker, buffer = Worker([0] * 8), Buffer()
    one, first = connected(worker, buffer)
    two, second = connected(worker, buffer)
    arrive(one, b"of the first")
    arrive(two, b"of the other one")
    assert [bytes(view) for view in first.kept + second.kept] == [b"of the first", b"of the other one"]


def test_bytes_out_are_those_that_the_kernel_took() -> None:
    worker = Worker([0] * 8)
    protocol, transport = connected(worker, Buffer())
    arrive(protocol, b"twelve bytes")
    assert (worker.bytes_in, worker.bytes_out, transport.reading) == (12, 0, False)
    transport.kept.clear()
    protocol.resume_writing()
    assert (worker.bytes_in, worker.bytes_out, transport.reading) == (12, 12, True)
