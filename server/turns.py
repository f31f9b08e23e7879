"""Taking turns: of several that accept, only the one that holds a lock may take newcomers.

The lock is flock on a file that each opens for itself, be it a process, a thread or an interpreter: the kernel drops it
when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from typing import Union

from server.common import Intake, Listener
from server.ports import Ports


class OneAtATime(Intake):
    """An intake that takes only while it holds the lock. `locks` is any descriptor of the file to lock."""

    def __init__(self, inner: Union[Listener, Ports], locks: int) -> None:
        self._inner = inner
        # Opened anew, not inherited: a lock belongs to the open file, which a fork shares.
        self._lock = os.open(f"/proc/self/fd/{locks}", os.O_RDWR | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._inner.fileno()

    def block(self) -> None:
        self._inner.block()

    def take(self, at_most: int | None = None) -> Iterator[socket.socket]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            taken = list(self._inner.take(at_most))
            self.more = self._inner.more
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        yield from taken
