"""One process accepts, and deals the sockets to worker processes through multiprocessing queues, like cards.

Use it to see what the queue costs. Each worker has a queue of its own, so that the connections spread evenly however
busy a worker is. A socket does not go through the queue: a note of it does, with which the worker connects to a thread
of the acceptor (multiprocessing.resource_sharer), proves who it is, and gets the descriptor. What one has to know:

- That thread serves one worker at a time, and in Pythons from before 2024 the third that comes waits in connect().
  Python takes a connect() that a signal has interrupted for one that has succeeded, where the signal has a handler. So
  the timer's signal (server/common.py) is held back while a socket is taken.
- The acceptor waits until there is room for another socket, and looks meanwhile whether a worker has ended: what one
  that died has not taken keeps its room for ever.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import socket
import sys
from collections.abc import Iterator
from multiprocessing import connection
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Semaphore
from pathlib import Path

from server import crew
from server.catalog import Loop
from server.common import Intake, Spare, Worker, held_back
from server.slots import DESCRIPTORS

ON_THE_WAY = 32  # sockets dealt and not yet taken: each holds a descriptor of the acceptor
FULL_S = 0.05  # how long to wait for room between two looks at the workers
SPARES = 4  # taking a socket from the queue needs two descriptors for a moment; some room beyond that


class Hand(Intake):
    """The worker's end of its queue: readable when a socket waits in it."""

    def __init__(self, queue: SimpleQueue[socket.socket], room: Semaphore, worker: Worker) -> None:
        self._queue, self._room, self._worker = queue, room, worker
        self._spare = Spare(SPARES)

    def fileno(self) -> int:
        return int(self._queue._reader.fileno())  # type: ignore[attr-defined]  # nothing public can be waited for

    def take(self, at_most: int | None = None) -> Iterator[socket.socket]:
        for _ in range(at_most or self._worker.accept_batch):
            if self._queue.empty():
                break
            self._spare.give_up()  # a socket that finds no room would be lost, and its client would wait for ever
            with held_back(signal.SIGALRM):  # SIGTERM and SIGINT still come through
                sock = self._queue.get()
            self._room.release()
            if self._spare.take_back():
                sock.setblocking(False)
                yield sock
            else:
                self._worker.refused(sock, DESCRIPTORS)
                self._spare.take_back()
        self.more = not self._queue.empty()


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Start the workers, then accept and deal until a signal comes, or a worker ends; the exit status."""
    context = multiprocessing.get_context("fork")
    room = context.Semaphore(ON_THE_WAY)
    queues = [context.SimpleQueue() for _ in range(workers)]

    def work(index: int, worker: Worker) -> None:
        for listener in listeners:
            listener.close()
        loop.run(Hand(queues[index], room, worker), worker)

    def lead(sentinels: list[int]) -> None:
        try:
            deal(listeners, queues, room, sentinels)
        finally:
            sys.excepthook = lambda *_: None  # the queues' thread would tell of each socket that is still on its way

    return crew.run(workers, work, stats, lead)


def deal(
    listeners: list[socket.socket], queues: list[SimpleQueue[socket.socket]], room: Semaphore, sentinels: list[int]
) -> None:
    """Accept, and give each worker in turn a socket; returns when a worker has ended."""
    turn = itertools.cycle(queues)
    for sock in crew.newcomers(listeners, sentinels):
        while not room.acquire(timeout=FULL_S):
            if connection.wait(sentinels, 0):
                sock.close()
                return
        with sock:  # the queue has a copy of its own, and ours would keep the connection open for ever
            try:
                next(turn).put(sock)
            except OSError as error:
                room.release()
                print(f"A connection could not be dealt, and is closed: {error.strerror}.", file=sys.stderr)
