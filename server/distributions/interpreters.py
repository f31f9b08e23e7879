"""Several interpreters in one process, each in a thread, with a lock (GIL) of its own: so each has a CPU.

It is `threads` for a Python that has the lock. An interpreter shares no object with another, only what the process has:
descriptors, which are told by their numbers, and files, such as that of the statistics. So each imports all modules
anew, which takes 20 ms and some 8 MB; a forked process takes a fifth of that, because it begins with its parent's.

Python 3.12 and newer can do this, if a package in C says that it can (`_ctypes` does not in 3.12), so an interpreter
imports no more here than it must. What it runs is text, since it can be handed a function only from 3.14 on.
"""

from __future__ import annotations

import importlib
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from server.catalog import Loop
from server.common import Worker
from server.distributions import threads
from server.ports import intake
from server.slots import table
from server.turns import OneAtATime

THREADS = True
LISTENS_PER_WORKER = True


def serve(listeners: list[socket.socket], loop: Loop, workers: int, stats: Path | None) -> int:
    """Serve until a signal comes, or an interpreter ends. For each port there is a listener per interpreter."""
    with tempfile.TemporaryFile() as file:

        def work(index: int) -> None:
            name: str = loop.__name__  # type: ignore[attr-defined]  # it is a module
            mine = [listener.fileno() for listener in listeners[index::workers]]
            path = str(stats) if stats else None
            told = (name, mine, file.fileno(), index, workers, path, Worker.accept_batch)
            failure = new()(f"import sys; sys.path[:] = {sys.path!r}\nfrom {__name__} import inside; inside{told!r}")
            if failure:
                raise RuntimeError(failure.formatted)

        threads.run(workers, work)


def new() -> Callable[[str], Any]:
    """A new interpreter, as what runs a text in it; it raises an error that came up there, or (in 3.13) returns it."""
    if sys.version_info >= (3, 14):
        return importlib.import_module("concurrent.interpreters").create().exec
    if sys.version_info >= (3, 13):
        module = importlib.import_module("_interpreters")
        return partial(module.exec, module.create("isolated"))
    module = importlib.import_module("_xxsubinterpreters")
    return partial(module.run_string, module.create(isolated=True))


def inside(name: str, mine: list[int], locks: int, index: int, workers: int, stats: str | None, batch: int) -> None:
    """What each of the interpreters does; it is told where the listeners are, and the lock."""
    Worker.accept_batch = batch
    worker = Worker(table(Path(stats) if stats else None, workers), index)
    newcomers = OneAtATime(intake([socket.socket(fileno=number) for number in mine], worker), locks)
    importlib.import_module(name).run(newcomers, worker)
