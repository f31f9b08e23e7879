"""A fixed number of threads, each of which accepts a client, serves it to its end, and accepts the next.

Use it where clients come and go, and the work for one blocks (a database, a file): the threads bound what is done at a
time, and later clients wait in the accept queue. With clients that stay, the first ones keep all the threads, and
the others are turned away after a second.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from server.catalog import Loop
from server.common import Stopped, Worker, stop_on_signals
from server.loops.blocking import Part, in_turn, turn_away
from server.ports import intake
from server.slots import table

ONE_SLOT = True
THREADS = 64
STACK_BYTES = 256 * 1024


def serve(listeners: list[socket.socket], _loop: Loop, _workers: int, stats: Path | None) -> int:
    """Serve until a signal comes. The loop is always `blocking`; the number of workers is for processes."""
    worker, lock = Worker(table(stats, 1)), threading.Lock()
    try:
        stop_on_signals()
        threading.stack_size(STACK_BYTES)
        newcomers = intake(listeners, Part(worker, lock))
        newcomers.block()
        for _ in range(THREADS):
            threading.Thread(target=in_turn, args=(newcomers, Part(worker, lock)), daemon=True).start()
        worker.begin()
        turn_away(newcomers, Part(worker, lock), THREADS)
    except Stopped:
        worker.publish()
    os._exit(0)  # the threads are in the middle of their calls, and none of them need be waited for
