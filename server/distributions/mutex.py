"""Several processes share a listening socket, and only the one that holds a lock may accept.

From the time when accept woke every process that waited in it, and still the way to wait for several ports with calls
that block. Today the kernel wakes one, so for a single port `shared` does the same without the lock.

The lock (server/turns.py) is one that the kernel drops when its holder dies, so that a crash blocks nobody. A semaphore
would stay taken.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from server import crew
from server.catalog import Loop
from server.common import Worker
from server.ports import intake
from server.turns import OneAtATime

REPLACES = True


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Serve until a signal comes, or a worker ends that has no successor; the exit status."""
    with tempfile.TemporaryFile() as file:

        def work(_index: int, worker: Worker) -> None:
            loop.run(OneAtATime(intake(listeners, worker), file.fileno()), worker)

        return crew.run(workers, work, stats)
