"""Several processes wait for the same listening socket, and each accepts what it gets hold of.

With blocking accept the kernel wakes one process for each connection, the one that has waited longest, so they take
turns. With epoll, level-triggered, it wakes all of them for each, the thundering herd: one finds the connection, the
others nothing. Those that are awake anyway take most, so the connections spread unevenly.
"""

from __future__ import annotations

import socket
from multiprocessing import connection
from pathlib import Path

from server import crew
from server.catalog import Loop
from server.common import Intake, Worker
from server.ports import intake


def serve(
    listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None, wake_one: bool = False
) -> int:  # fmt: skip
    """Fork the workers, and end with them; the exit status."""

    def feed(worker: Worker) -> Intake:
        return intake(listeners, worker, wake_one)

    return crew.attend([crew.start(loop, stats, index, feed) for index in range(workers)], connection.wait)
