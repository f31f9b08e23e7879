"""The processes of a generator: forked before there is any thread, told what to do, heard, ended with their parent."""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import mmap
import os
import queue
import selectors
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn, Optional

from contracts import line
from pyloadgen import usage
from pyloadgen.books import Books, Report, pack
from pyloadgen.budget import SPARE_DESCRIPTORS
from pyloadgen.errors import Refusal
from pyloadgen.ledger import Interval
from pyloadgen.part import Generator, Part
from pyloadgen.pool import PROCESSES
from pyloadgen.record import Recorder
from pyloadgen.sockets import Addresses
from pyloadgen.spec import Spec

MOST_PROCESSES = 64
CLASSES = {"pool": ("pool", "Pool"), "threads": ("threads", "Threads"), "asyncio": ("asyncio_client", "Client")}
PR_SET_PDEATHSIG = 1
READ_BYTES = 1 << 16


def processes_for(spec: Spec, descriptors: int) -> int:
    """What the specification says, else 16 for the pool and one for the others; more where descriptors demand it."""
    room = max(1, descriptors - SPARE_DESCRIPTORS)
    wanted = spec.processes or max(PROCESSES if spec.generator == "pool" else 1, -(-spec.connections // room))
    return max(1, min(wanted, MOST_PROCESSES, spec.connections))


class Message(NamedTuple):
    """What a process said; None: it has ended."""

    process: int
    report: Optional[Report]


class Crew:
    """The processes, from outside."""

    def __init__(self, spec: Spec, count: int) -> None:
        self.count = count
        self._flag = mmap.mmap(-1, 1)  # shared
        self._ours: list[socket.socket] = []
        self._pids: list[int] = []
        recorder, addresses = Recorder(spec.run_number, spec.payload_bytes, spec.seed), Addresses(spec)
        parent = os.getpid()
        for process in range(count):
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if not pid:
                for sock in (ours, *self._ours):
                    sock.close()
                part = Part(spec, process, count, recorder, addresses, self._flag, Books(spec))
                _live(part, theirs, parent)
            theirs.close()
            self._ours.append(ours)
            self._pids.append(pid)

    def listen(self, to: queue.SimpleQueue[Any]) -> None:
        """Put what the processes say into a queue, from a thread of its own."""
        threading.Thread(target=self._listen, args=(to,), name="crew", daemon=True).start()

    def _listen(self, to: queue.SimpleQueue[Any]) -> None:
        rest: dict[int, bytes] = dict.fromkeys(range(self.count), b"")
        with selectors.DefaultSelector() as selector:
            for process, sock in enumerate(self._ours):
                selector.register(sock, selectors.EVENT_READ, process)
            while rest:
                for key, _ in selector.select():
                    process = key.data
                    data = b""
                    with suppress(OSError):
                        data = self._ours[process].recv(READ_BYTES)
                    *lines, rest[process] = (rest[process] + data).split(b"\n")
                    for line in lines:
                        to.put(Message(process, json.loads(line)))
                    if not data:
                        selector.unregister(self._ours[process])
                        del rest[process]
                        to.put(Message(process, None))

    def order(self, do: str, **numbers: int) -> None:
        line = json.dumps({"do": do, **numbers}).encode() + b"\n"
        for sock in self._ours:
            with suppress(OSError):  # a process that has ended is heard to
                sock.sendall(line)

    def stop(self) -> None:
        """Have each settle what it has."""
        self._flag[0] = 1

    def end(self, patience_s: float) -> None:
        """End every process, and wait for it."""
        self.stop()
        for sock in self._ours:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + patience_s
        left = set(self._pids)
        while left:
            for pid in list(left):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    left.discard(pid)
                elif time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)  # our own child, not yet waited for: the id is still its
            time.sleep(0.005 if left else 0)
        for sock in self._ours:
            sock.close()


def _live(part: Part, pipe: socket.socket, parent: int) -> NoReturn:
    """The life of a process of the crew: it ends with its pipe, and with its parent."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who says when to stop
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        if os.getppid() == parent:
            usage.watch_garbage()
            _obey(part, pipe)
            code = 0
    except BrokenPipeError:
        pass
    except Exception as error:
        print(f"A process of the generator failed: {error!r}.", file=sys.stderr, flush=True)
        remedy = "This is a defect: report it with loadgen.log."
        with suppress(OSError):
            event = line.error("internal", "process", f"A process failed: {error!r}.", remedy)
            _say(pipe, {"did": "failed", "event": event})
    finally:
        os._exit(code)


def _say(pipe: socket.socket, report: Report) -> None:
    pipe.sendall(json.dumps(report, separators=(",", ":")).encode() + b"\n")


def _obey(part: Part, pipe: socket.socket) -> None:
    module, name = CLASSES[part.spec.generator]
    generator: Generator = getattr(importlib.import_module(f"pyloadgen.{module}"), name)(part)

    def emit(interval: Interval) -> None:
        _say(pipe, {"did": "interval", "k": interval.k, "counts": interval.counts, "response": pack(interval.response)})

    for text in pipe.makefile("rb"):
        order = json.loads(text)
        try:
            if order["do"] == "arm":
                generator.arm(order["total"], order["start"])
                _say(pipe, part.books.armed_report())
                gc.collect()
                gc.freeze()
            elif order["do"] == "prove":
                verified, failed = generator.prove()
                _say(pipe, {"did": "proved", "verified": verified, "failed": failed})
            else:
                _say(pipe, generator.run(order["at"], emit))
        except Refusal as refusal:
            _say(pipe, {"did": "refused", "event": refusal.event})
    generator.close()
