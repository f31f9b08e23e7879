"""A thread for each connection: the program reads like that for one client, and the kernel does the rest.

Use it up to some hundred connections, or where the work for each blocks. Every thread costs a stack (small here, and
only what is touched of it is memory) and kernel memory, about 60 KB together, and each request two switches of thread
and a turn with the interpreter's lock. Where no more threads can be had, newcomers are closed.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from pathlib import Path

from server.catalog import Loop
from server.common import Stopped, Worker, stop_on_signals
from server.loops.blocking import Part, echo
from server.ports import intake
from server.slots import THREADS, table

ONE_SLOT = True
STACK_BYTES = 128 * 1024


def serve(listeners: list[socket.socket], _loop: Loop, _workers: int, stats: Path | None) -> int:
    """Serve until a signal comes. The loop is always `blocking`; the number of workers is for processes."""
    worker, lock = Worker(table(stats, 1)), threading.Lock()
    acceptor = Part(worker, lock)
    newcomers = intake(listeners, acceptor)
    try:
        stop_on_signals()
        threading.stack_size(STACK_BYTES)
        waiting = select.poll()
        waiting.register(newcomers, select.POLLIN)
        worker.begin()
        while True:
            waiting.poll()
            for sock in newcomers.take():
                try:
                    threading.Thread(target=echo, args=(sock, Part(worker, lock)), daemon=True).start()
                except RuntimeError:  # "can't start new thread"
                    acceptor.refused(sock, THREADS)
    except Stopped:
        worker.publish()
    os._exit(0)  # ten thousand threads are in the middle of their calls, and none of them need be waited for
