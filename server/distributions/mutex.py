"""Several processes share a listening socket, and only the one that holds a lock may accept.

From the time when accept woke every process that waited in it, and still the way to wait for several ports with calls
that block. Today the kernel wakes one, so for a single port `shared` does the same without the lock.

The lock is flock on a file that each process opens for itself: the kernel drops it when its holder dies, so that a
crash blocks nobody. A semaphore would stay taken.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Union

from server import crew
from server.catalog import Loop
from server.common import Intake, Listener, Worker
from server.ports import Ports, intake


class OneAtATime(Intake):
    """An intake that takes only while it holds the lock. `locks` is any descriptor of the file to lock."""

    def __init__(self, inner: Union[Listener, Ports], locks: int) -> None:
        self._inner = inner
        # Opened anew, not inherited: a lock belongs to the open file, which a fork shares.
        self._lock = os.open(f"/proc/self/fd/{locks}", os.O_RDWR | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._inner.fileno()

    def block(self) -> None:
        self._inner.block()

    def take(self, at_most: int | None = None) -> Iterator[socket.socket]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            taken = list(self._inner.take(at_most))
            self.more = self._inner.more
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        yield from taken


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Serve until a signal comes, or a worker ends; the exit status."""
    with tempfile.TemporaryFile() as file:

        def work(_index: int, worker: Worker) -> None:
            loop.run(OneAtATime(intake(listeners, worker), file.fileno()), worker)

        return crew.run(workers, work, stats)
