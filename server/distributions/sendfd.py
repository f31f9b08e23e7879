"""One process accepts, and passes the sockets to worker processes as messages that hold a descriptor (SCM_RIGHTS).

The cheapest way to hand a socket over: some 30 us where a multiprocessing queue takes 300. The dealer decides who gets
what, here each worker in turn, so the connections spread exactly evenly. The price is one process that everything
passes through, and three rules. A message carries at least one byte. The dealer closes its copy, or the client never
sees the end. And a worker out of descriptors gets the byte without the descriptor, while the kernel closes the
connection.
"""

from __future__ import annotations

import errno
import itertools
import socket
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import connection
from pathlib import Path

from server import crew
from server.catalog import Loop
from server.common import ACCEPTS_PER_TURN, Intake, Worker
from server.ports import intake
from server.slots import DESCRIPTORS, write_to

BUFFER_BYTES = 16_384  # of messages on the way: each holds a descriptor that belongs to nobody
PAUSE_S = 0.001


class Hand:
    """The worker's end of its channel: readable when a socket waits in it."""

    wake_one = False

    def __init__(self, channel: socket.socket, worker: Worker) -> None:
        channel.setblocking(False)  # the flags of recv_fds are not passed on, so MSG_DONTWAIT would do nothing
        self._channel, self._worker = channel, worker

    def fileno(self) -> int:
        return self._channel.fileno()

    def take(self, at_most: int | None = ACCEPTS_PER_TURN) -> Iterator[socket.socket]:
        while at_most is None or at_most > 0:
            try:
                byte, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
            except BlockingIOError:
                return
            if descriptors:
                sock = socket.socket(fileno=descriptors[0])
                sock.setblocking(False)
                yield sock
            elif byte:
                self._worker.turned_away(DESCRIPTORS)
            else:
                return  # the dealer is gone, and a signal is on its way
            if at_most is not None:
                at_most -= 1


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Start the workers, then accept and deal until a signal comes, or a worker ends; the exit status."""
    channels = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(workers)]

    def feeder(index: int) -> Callable[[Worker], Intake]:
        def feed(worker: Worker) -> Intake:
            for listener in listeners:
                listener.close()
            for number, (ours, theirs) in enumerate(channels):
                ours.close()
                if number != index:
                    theirs.close()
            return Hand(channels[index][1], worker)

        return feed

    started = [crew.start(loop, stats, index, feeder(index)) for index in range(workers)]
    for ours, theirs in channels:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        theirs.close()
    return crew.attend(started, lambda sentinels: deal(listeners, [ours for ours, _ in channels], sentinels))


def deal(listeners: list[socket.socket], channels: list[socket.socket], sentinels: list[int]) -> None:
    """Accept, and give each worker in turn a socket; returns when a worker has ended."""
    newcomers = intake(listeners, Worker(write_to(None, 0)))
    turn = itertools.cycle(channels)
    while True:
        ready = connection.wait([newcomers.fileno(), *sentinels])
        if any(sentinel in ready for sentinel in sentinels):
            return
        for sock in newcomers.take():
            with sock:
                pass_on(sock, next(turn))


def pass_on(sock: socket.socket, channel: socket.socket) -> None:
    """Send a socket, waiting while the worker has too many to fetch."""
    while True:
        try:
            socket.send_fds(channel, [b"."], [sock.fileno()])
            return
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS:  # the kernel's own limit of descriptors on the way
                print(f"A connection could not be dealt, and is closed: {error.strerror}.", file=sys.stderr)
                return
            time.sleep(PAUSE_S)
