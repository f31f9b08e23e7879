"""Several processes accept from the same listening socket, which they inherit.

With an event loop this is the thundering herd: each newcomer wakes every process that waits, one gets it, and the
others have been woken for nothing. The quickest process takes most, so the shares are uneven.

With calls that block there is no herd: the kernel wakes one process for each newcomer, the one that has waited longest,
and the shares are even. But each then serves one client, and no other until that one has gone.
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
        loop.run(intake(listeners, worker), worker)  # the loop makes its epoll here, after the fork: it is its own

    return crew.run(workers, work, stats)
