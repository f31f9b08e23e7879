"""Several threads of one process, each with an event loop and, on the same port, a listener of its own (SO_REUSEPORT).

It is `reuseport` with threads for processes. They share what the process has: its memory, and its descriptors. So they
take turns to accept (server/turns.py), because a descriptor that one gives up to refuse a newcomer is the next one's.

Use it where the interpreter has no lock (GIL), as those called free-threaded: python3.13t and newer. There each thread
has a CPU. With the lock they take turns in all that they do but wait, so all of them together have one CPU.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from server.catalog import Loop
from server.common import Stopped, Worker, stop_on_signals
from server.ports import intake
from server.slots import table
from server.turns import OneAtATime

THREADS = True
LISTENS_PER_WORKER = True


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Serve until a signal comes, or a thread ends. For each port there is a listener per thread."""
    words = table(stats, workers)
    with tempfile.TemporaryFile() as file:

        def work(index: int) -> None:
            worker = Worker(words, index)
            loop.run(OneAtATime(intake(listeners[index::workers], worker), file.fileno()), worker)

        run(workers, work)


def run(count: int, work: Callable[[int], None]) -> NoReturn:
    """Let `count` threads do work(index) until a signal comes, or one ends; then end the process, and them with it."""
    ended = threading.Event()

    def until_the_end(index: int) -> None:
        try:
            work(index)
        except Exception:
            traceback.print_exc()  # here, because the process ends at once
        finally:
            ended.set()

    status = 0
    try:
        stop_on_signals()
        for index in range(count):
            threading.Thread(target=until_the_end, args=(index,), daemon=True).start()
        ended.wait()
        print("A thread ended on its own, so the server ends too.", file=sys.stderr)
        status = 1
    except Stopped:
        pass
    os._exit(status)  # the threads are in the middle of their calls, and none of them need be waited for
