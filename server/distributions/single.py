"""One process, one thread: it accepts its connections itself, and serves them all."""

from __future__ import annotations

import socket
from pathlib import Path

from server.catalog import Loop
from server.common import Stopped, Worker, stop_on_signals
from server.ports import intake
from server.slots import table

ONE_SLOT = True


def serve(listeners: list[socket.socket], loop: Loop, _workers: int, stats: Path | None) -> int:
    """Serve until a signal comes; the exit status. The number of workers is for distributions that have several."""
    worker = Worker(table(stats, 1))
    try:
        stop_on_signals()
        loop.run(intake(listeners, worker), worker)
    except Stopped:
        pass
    finally:
        worker.publish()
    return 0
