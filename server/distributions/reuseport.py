"""Several processes, each with a listening socket of its own on the same port (SO_REUSEPORT).

The kernel deals each connection to one of the sockets by a hash of its addresses: evenly when there are many, with
nobody woken in vain, and no lock. But the hash does not look who is busy: what is dealt to a stalled worker waits.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path

from server import crew
from server.catalog import Loop
from server.common import Intake, Worker
from server.ports import intake


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Fork the workers, and end with them; the exit status. `listeners` holds one for each worker and port."""

    def feeder(index: int) -> Callable[[Worker], Intake]:
        def feed(worker: Worker) -> Intake:
            for listener in set(listeners) - set(listeners[index::workers]):
                listener.close()
            return intake(listeners[index::workers], worker)

        return feed

    started = [crew.start(loop, stats, index, feeder(index)) for index in range(workers)]
    for listener in listeners:
        listener.close()  # a connection that the kernel dealt to this process would wait for ever
    return crew.attend(started, connection.wait)
