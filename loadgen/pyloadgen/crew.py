"""The processes of a generator: forked before there is any thread, told what to do, heard, ended with their parent."""

from __future__ import annotations

import ctypes
import gc
import importlib
import mmap
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from contracts import line
from pyloadgen import host
from pyloadgen.errors import Refusal
from pyloadgen.generator import Addresses, Generator
from pyloadgen.host import SPARE_DESCRIPTORS
from pyloadgen.pool import PROCESSES
from pyloadgen.record import Recorder
from pyloadgen.spec import Spec

MOST_PROCESSES = 64
CLASSES = {"pool": ("pool", "Pool"), "threads": ("threads", "Threads"), "asyncio": ("asyncio_client", "Client")}
DEFECT = "This is a defect: report it with loadgen.log."
PR_SET_PDEATHSIG = 1


def processes_for(spec: Spec, descriptors: int) -> int:
    """What the specification says, else 16 for the pool and one for the others; more where descriptors demand it."""
    room = max(1, descriptors - SPARE_DESCRIPTORS)
    wanted = spec.processes or max(PROCESSES if spec.generator == "pool" else 1, -(-spec.connections // room))
    return max(1, min(wanted, MOST_PROCESSES, spec.connections))


class Crew:
    """The processes, from outside. `said` has what they report, and is open to whoever has something for the same ears.

    A report is a pair: an order and what came of it, or interval, refused or failed and what that is, or ended.
    """

    def __init__(self, spec: Spec, count: int) -> None:
        self.count = count
        self._flag = mmap.mmap(-1, 1)  # shared
        self._pipes: list[Connection] = []
        self._processes = []
        recorder, addresses = Recorder(spec.run_number, spec.payload_bytes, spec.seed), Addresses(spec)
        fork = multiprocessing.get_context("fork")
        for number in range(count):
            ours, theirs = fork.Pipe()
            self._pipes.append(ours)
            share = (spec, number, count, recorder, addresses, self._flag)
            process = fork.Process(target=_live, args=(share, theirs, self._pipes, os.getpid()), daemon=True)
            process.start()
            self._processes.append(process)
            theirs.close()
        self.said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="crew", daemon=True).start()

    def _listen(self) -> None:
        left: list[Any] = list(self._pipes)
        while left:
            ready: list[Any] = wait(left)
            for pipe in ready:
                try:
                    self.said.put(pipe.recv())
                except (EOFError, OSError):
                    left.remove(pipe)
                    self.said.put(("ended", None))

    def order(self, do: str, *numbers: int) -> None:
        for pipe in self._pipes:
            with suppress(OSError):  # a process that has ended is heard to
                pipe.send((do, *numbers))

    def stop(self) -> None:
        """Have each settle what it has."""
        self._flag[0] = 1

    def end(self, patience_s: float) -> None:
        """End every process, and wait for it."""
        self.stop()
        self.order("end")
        deadline = time.monotonic() + patience_s
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            process.join()


def _live(share: tuple[Any, ...], pipe: Connection, ours: list[Connection], parent: int) -> None:
    """The life of a process of the crew: it ends when told to, and with its parent."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who says when to stop
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        for one in ours:
            one.close()
        if os.getppid() == parent:
            gc.callbacks.append(host.note_collection)
            _obey(share, pipe)
            code = 0
    except (EOFError, ConnectionError):  # the parent is gone
        pass
    except Exception as error:
        print(f"A process of the generator failed: {error!r}.", file=sys.stderr, flush=True)
        with suppress(OSError):
            pipe.send(("failed", line.error("internal", "process", f"A process failed: {error!r}.", DEFECT)))
    finally:
        os._exit(code)


def _obey(share: tuple[Any, ...], pipe: Connection) -> None:
    module, name = CLASSES[share[0].generator]
    make = getattr(importlib.import_module(f"pyloadgen.{module}"), name)
    generator: Generator = make(*share, lambda interval: pipe.send(("interval", interval)))
    while True:
        do, *numbers = pipe.recv()
        if do == "end":
            break
        try:
            pipe.send((do, getattr(generator, do)(*numbers)))
        except Refusal as refusal:
            pipe.send(("refused", refusal.event))
        gc.collect()
        gc.freeze()  # what there is now stays, and is not looked through during the load
    generator.close()
