"""One process accepts, and passes the sockets to worker processes as SCM_RIGHTS messages, to each in turn.

Use it where the acceptor is to decide who serves a connection: the kernel copies the descriptor for about 4 us, which
the queues of `workers` take 300 us for. What one has to know:

- A message needs a byte of data, or the descriptor is not sent. Packets (SOCK_SEQPACKET) do not run into one another.
- The sender closes its copy, or the client never sees the end of its connection.
- A receiver without descriptors gets the byte alone, and MSG_CTRUNC; the connection is lost. So a spare descriptor is
  given up before each receive, and the socket that leaves no room for the spare is refused in the open.
- A worker that does not keep up fills its socket; then the next in turn gets the connection, and only where all are
  full does the acceptor wait.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path

from server import crew
from server.catalog import Loop
from server.common import Intake, Spare, Worker
from server.slots import DESCRIPTORS

FULL_PAUSE_S = 0.005


class Hand(Intake):
    """The worker's end: readable when a socket waits in it."""

    def __init__(self, end: socket.socket, worker: Worker) -> None:
        self._end, self._worker = end, worker
        self._spare = Spare()

    def fileno(self) -> int:
        return self._end.fileno()

    def take(self, at_most: int | None = None) -> Iterator[socket.socket]:
        self.more = False
        for _ in range(at_most or self._worker.accept_batch):
            self._spare.give_up()
            try:
                data, descriptors, flags, _ = socket.recv_fds(self._end, 1, 1)
            except BlockingIOError:
                return
            finally:
                has_room = self._spare.take_back()
            if not data:
                raise EOFError("the acceptor is gone")
            if flags & socket.MSG_CTRUNC:
                self._worker.refused(None, DESCRIPTORS)  # the kernel has closed it
            elif has_room:
                sock = socket.socket(fileno=descriptors[0])
                sock.setblocking(False)
                yield sock
            else:
                self._worker.refused(socket.socket(fileno=descriptors[0]), DESCRIPTORS)
                self._spare.take_back()
        self.more = True


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Start the workers, then accept and pass on until a signal comes, or a worker ends; the exit status."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(workers)]
    for end in itertools.chain(*pairs):
        end.setblocking(False)

    def work(index: int, worker: Worker) -> None:
        mine = pairs[index][1]
        for other in (*listeners, *itertools.chain(*pairs)):
            if other is not mine:
                other.close()
        loop.run(Hand(mine, worker), worker)

    def lead(sentinels: list[int]) -> None:
        for _, theirs in pairs:
            theirs.close()
        deal(listeners, [ours for ours, _ in pairs], sentinels)

    return crew.run(workers, work, stats, lead)


def deal(listeners: list[socket.socket], ends: list[socket.socket], sentinels: list[int]) -> None:
    """Accept, and give each worker in turn a socket; returns when a worker has ended."""
    turn = itertools.cycle(ends)
    for sock in crew.newcomers(listeners, sentinels):
        with sock:
            while not any(passed_on(sock, end) for end in itertools.islice(turn, len(ends))):
                if connection.wait(sentinels, FULL_PAUSE_S):
                    return


def passed_on(sock: socket.socket, end: socket.socket) -> bool:
    """Give a worker the socket; False where its end is full, too many are on the way, or the worker is gone."""
    try:
        socket.send_fds(end, [b"."], [sock.fileno()])
    except OSError:
        return False
    return True
