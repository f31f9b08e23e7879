"""Several listening sockets as one, for a server with more ports than one."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator, Sequence
from typing import Union

from server.common import Intake, Listener, Spare, Worker


class Ports(Intake):
    """An epoll that holds the listening sockets, and is itself readable when one of them is.

    So no loop need know how many there are: whichever call it waits with, an epoll is a descriptor like any other. But
    `wake_one` has no effect through a second epoll.
    """

    _wait_s = 0

    def __init__(self, socks: Sequence[socket.socket], worker: Worker) -> None:
        spare = Spare()
        self._worker = worker
        self._epoll = select.epoll()
        self._listeners = {sock.fileno(): Listener(sock, worker, spare) for sock in socks}
        for fd in self._listeners:
            self._epoll.register(fd, select.EPOLLIN)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def block(self) -> None:
        """From now on `take` waits for newcomers of any port, which accept itself cannot: another may be faster."""
        self._wait_s = -1

    def take(self, at_most: int | None = None) -> Iterator[socket.socket]:
        """As many from each port that has some; what is left over keeps the epoll readable."""
        ready = [self._listeners[fd] for fd, _ in self._epoll.poll(self._wait_s)]
        for listener in ready:
            yield from listener.take(max(1, (at_most or self._worker.accept_batch) // len(ready)))
        self.more = any(listener.more for listener in ready)


def intake(socks: Sequence[socket.socket], worker: Worker, wake_one: bool = False) -> Union[Listener, Ports]:
    """What a loop takes new connections from; a single listening socket needs nothing around it."""
    return Listener(socks[0], worker, wake_one=wake_one) if len(socks) == 1 else Ports(socks, worker)
