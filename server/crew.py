"""Worker processes: forked from this one, each with its own event loop; watched together, and ended together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkProcess
from pathlib import Path

from server.catalog import Loop
from server.common import Intake, Stopped, Worker, stop_on_signals
from server.launch import die_with_parent
from server.slots import write_to

CONTEXT = multiprocessing.get_context("fork")
STOP_S = 0.5


def start(loop: Loop, stats: Path | None, index: int, feed: Callable[[Worker], Intake]) -> ForkProcess:
    """Fork worker number `index`. What it gets its connections from is made by `feed` in the new process.

    So an epoll is never shared by accident: one that was made before the fork would be the same in both processes.
    """
    parent = os.getpid()

    def work() -> None:
        die_with_parent(parent, signal.SIGKILL)
        worker = Worker(write_to(stats, index))
        try:
            stop_on_signals()
            loop.run(feed(worker), worker)
        except Stopped:
            pass
        finally:
            worker.publish()
        os._exit(0)  # every connection ends with the process; tidying up ten thousand objects first takes time

    process = CONTEXT.Process(target=work, daemon=True)
    process.start()
    return process


def attend(workers: Sequence[ForkProcess], until_one_ends: Callable[[list[int]], object]) -> int:
    """Wait until a signal comes or a worker ends on its own, and end them all; the exit status.

    `until_one_ends` is given descriptors of which one becomes readable when a worker ends, and returns then.
    """
    try:
        stop_on_signals()
        until_one_ends([worker.sentinel for worker in workers])
        ended = [worker.pid for worker in workers if worker.exitcode is not None]
        print(f"Worker process {ended} ended on its own, so the server ends too.", file=sys.stderr)
        return 1
    except Stopped:
        return 0
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(STOP_S)
            worker.kill()
