"""epoll on raw descriptors: plain numbers, and no object for a connection at all.

The cheapest loop over readiness that Python has: os.read and os.write go to the kernel with hardly anything between,
and a held connection costs this process no memory. Only a peer that does not read is remembered, with what is still to
be sent to it. Use it when every microsecond counts. The price: a number that is forgotten stays open, and one that was
closed too early may already be somebody else's. So each is closed in one place, after it was unregistered.
"""

from __future__ import annotations

import os
import select

from server.common import CHUNK_BYTES, Intake, Worker


def run(intake: Intake, worker: Worker) -> None:
    epoll = select.epoll()
    epoll.register(intake, select.EPOLLIN | (select.EPOLLEXCLUSIVE if intake.wake_one else 0))
    newcomers = intake.fileno()
    unsent: dict[int, bytes | memoryview] = {}
    read, write = os.read, os.write

    def close(fd: int) -> None:
        epoll.unregister(fd)
        unsent.pop(fd, None)
        os.close(fd)
        worker.ended()

    worker.begin()
    while True:
        received = answered = 0
        try:
            for fd, _ in epoll.poll():
                if fd == newcomers:
                    for sock in intake.take():
                        epoll.register(sock, select.EPOLLIN)
                        sock.detach()
                        worker.opened()
                    continue
                waiting = data = unsent.get(fd)
                if data is None:
                    try:
                        data = read(fd, CHUNK_BYTES)
                    except BlockingIOError:
                        continue
                    except OSError:
                        data = b""
                    if not data:
                        close(fd)
                        continue
                    received += len(data)
                try:
                    sent = write(fd, data)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    close(fd)
                    continue
                answered += sent
                if sent != len(data):
                    unsent[fd] = memoryview(data)[sent:]
                    if waiting is None:
                        epoll.modify(fd, select.EPOLLOUT)
                elif waiting is not None:
                    del unsent[fd]
                    epoll.modify(fd, select.EPOLLIN)
        finally:  # a signal in the middle of a turn loses no count
            worker.bytes_in += received
            worker.bytes_out += answered
            worker.publish()
