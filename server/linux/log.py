"""A server's log: the beginning and the end of what it writes, and how much is left out between them."""

from __future__ import annotations

import fcntl
import os
import select
import threading
from contextlib import suppress
from pathlib import Path

HEAD_BYTES = TAIL_BYTES = 2 << 20
READ_BYTES = 65_536
PIPE_BYTES = 1 << 20  # what the server may write ahead of the thread that reads
SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 1031)  # Python 3.9 does not name it
LAST_LINE_BYTES = 4096
CLOSE_S = 1.0


class Log:
    """The file, and a pipe into it whose other end is the server's stdout and stderr.

    A thread reads the pipe as long as anybody has the other end, so that the server neither waits for room nor is
    ended by SIGPIPE. The end is kept in memory until `close`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)
        self._pipe, self.writer = os.pipe()
        os.set_blocking(self._pipe, False)
        with suppress(OSError):  # more than the system allows
            fcntl.fcntl(self._pipe, SET_PIPE_SIZE, PIPE_BYTES)
        self._lock = threading.Lock()
        self._head_room = HEAD_BYTES
        self._tail = bytearray()
        self.dropped_bytes = 0
        self._thread = threading.Thread(target=self._follow, name="server.log", daemon=True)
        self._thread.start()

    def started(self) -> None:
        """The server has its end of the pipe; ours would keep it open for ever."""
        os.close(self.writer)

    def _follow(self) -> None:
        poller = select.poll()
        poller.register(self._pipe, select.POLLIN)
        going = True
        while going:
            poller.poll()
            with self._lock:
                going = self._read() is not None
        with self._lock:
            os.close(self._pipe)
            self._pipe = -1

    def _read(self) -> int | None:
        """Take over what the pipe gives at once; how many bytes, None at its end."""
        if self._pipe < 0:
            return None
        try:
            data = os.read(self._pipe, READ_BYTES)
        except BlockingIOError:
            return 0
        head, rest = data[: self._head_room], data[self._head_room :]
        self._head_room -= len(head)
        if head:
            with suppress(OSError):  # a full disk is no reason to let the server wait
                self._file.write(head)
        self._tail += rest
        if len(self._tail) > 2 * TAIL_BYTES:
            self._cut()
        return len(data) or None

    def _cut(self) -> None:
        surplus = max(0, len(self._tail) - TAIL_BYTES)
        del self._tail[:surplus]
        self.dropped_bytes += surplus

    def last_line(self) -> str:
        """The last line that the server has written, as far as anything is known; "" where there is none."""
        with self._lock:
            for _ in range(PIPE_BYTES // READ_BYTES):  # the thread may not have come to it yet
                if not self._read():
                    break
            last = bytes(self._tail[-LAST_LINE_BYTES:])
        with suppress(OSError), self._path.open("rb") as file:
            if not last:
                file.seek(max(0, os.fstat(file.fileno()).st_size - LAST_LINE_BYTES))
                last = file.read()
        lines = last.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """Write the end, once every process of the server has gone; one that could not be ended is not waited for."""
        self._thread.join(CLOSE_S)
        with self._lock:
            self._cut()
            with suppress(OSError):
                if self.dropped_bytes:
                    self._file.write(b"\n[%d bytes are left out here]\n" % self.dropped_bytes)
                self._file.write(self._tail)
            self._tail.clear()
