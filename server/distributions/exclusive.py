"""Several processes accept from the same listening socket, and the kernel wakes only as many as it must.

EPOLLEXCLUSIVE (Linux 4.5) ends the thundering herd. It must be in the first registration, and cannot be changed. The
price: the kernel asks the process that registered first, so one process takes nearly all as long as it keeps up, and
connections that stay are shared unevenly. With several ports a second epoll is in between, and the herd is back.
"""

from __future__ import annotations

import socket
from pathlib import Path

from server import crew
from server.catalog import Loop
from server.common import Worker
from server.ports import intake

REPLACES = True


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Serve until a signal comes, or a worker ends that has no successor; the exit status."""

    def work(_index: int, worker: Worker) -> None:
        loop.run(intake(listeners, worker, wake_one=True), worker)

    return crew.run(workers, work, stats)
