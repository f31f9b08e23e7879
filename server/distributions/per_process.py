"""A process for each connection, forked when it comes: the oldest server of all.

Use it where a client's work must not be able to harm another's. A fork costs about a millisecond, and an idle child
some 1.4 MB that it does not share, so ten thousand need 14 GB. Parent and child each close what they do not need,
or the client would never see the end. Children that ended stay as zombies until the parent has asked for their status:
one signal may stand for many of them, so it asks until there are no more.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from pathlib import Path

from server.catalog import Loop
from server.common import Stopped, Worker, stop_on_signals
from server.linux.launch import die_with_parent
from server.loops.blocking import echo
from server.ports import intake
from server.slots import BYTES_IN, BYTES_OUT, PROCESSES, WORDS, table

ONE_SLOT = True
MOST_CHILDREN = 32_768  # places for what children count; by default Linux has fewer pids
PUBLISH_MS = 500


class Children:
    """The living children, and what they count: each in a slot of memory that it shares with the parent."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._words = table(None, MOST_CHILDREN)
        self._free = list(range(MOST_CHILDREN - 1, -1, -1))
        self._used: dict[int, int] = {}  # pid to slot
        self._done = [0, 0]  # bytes in and out of those that ended

    def __len__(self) -> int:
        return len(self._used)

    def fork(self, sock: socket.socket) -> bool:
        """Start a child for this connection, and close the parent's copy; whether there could be one."""
        parent = os.getpid()
        try:
            index = self._free.pop()
        except IndexError:
            return False
        try:
            pid = os.fork()
        except (OSError, MemoryError):
            self._free.append(index)
            return False
        if pid == 0:
            serve_one(sock, Worker(self._slot(index)), parent)
        self._used[pid] = index
        self._worker.opened()
        sock.close()
        return True

    def reap(self) -> None:
        """Ask for the status of every child that has ended."""
        while self._used:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            index = self._used.pop(pid)
            slot = self._slot(index)
            self._done[0] += slot[BYTES_IN]
            self._done[1] += slot[BYTES_OUT]
            slot[BYTES_IN] = slot[BYTES_OUT] = 0
            self._free.append(index)
            self._worker.ended()

    def publish(self) -> None:
        """Add up what all children, living and dead, have counted so far."""
        top = (max(self._used.values(), default=-1) + 1) * WORDS
        words = self._words[:top].tolist()
        self._worker.bytes_in = self._done[0] + sum(words[BYTES_IN::WORDS])
        self._worker.bytes_out = self._done[1] + sum(words[BYTES_OUT::WORDS])
        self._worker.publish()

    def _slot(self, index: int) -> memoryview[int]:
        return self._words[index * WORDS : (index + 1) * WORDS]


def serve_one(sock: socket.socket, worker: Worker, parent: int) -> None:
    """The child's life; never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(parent, signal.SIGKILL)
        # All that was inherited: listeners, what the parent waits with, and other newcomers.
        mine = sock.fileno()
        os.closerange(3, mine)
        os.closerange(mine + 1, max(map(int, os.listdir("/proc/self/fd"))) + 1)  # noqa: PTH208 - no Path for each
        echo(sock, worker)
    finally:
        os._exit(0)


def serve(listeners: list[socket.socket], _loop: Loop, _workers: int, stats: Path | None) -> int:
    """Accept and fork until a signal comes. The loop is always `blocking`; the number of workers is for a fixed one."""
    worker = Worker(table(stats, 1))
    newcomers, children = intake(listeners, worker), Children(worker)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    waiting = select.poll()
    waiting.register(newcomers, select.POLLIN)
    waiting.register(woken, select.POLLIN)
    try:
        stop_on_signals()
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # its number appears in the pipe: none is missed
        gc.collect()
        gc.freeze()  # a collection in a child would copy every page that it looks at
        worker.begin()
        while True:
            ready = dict(waiting.poll(PUBLISH_MS if children else None))
            if woken in ready:
                os.read(woken, 65_536)
            children.reap()
            if newcomers.fileno() in ready:
                for sock in newcomers.take():
                    if not children.fork(sock):
                        worker.refused(sock, PROCESSES)
            children.publish()
    except Stopped:
        children.publish()
    return 0  # the kernel ends the children with their parent
