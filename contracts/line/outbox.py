"""Events to stdout and to agent.jsonl. A reader that does not read loses events, and never holds the agent up."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

from contracts.line.events import Event, encode

CAPACITY = 1024  # lines that wait for the reader of stdout; the outbox drops and counts those beyond


class Journal:
    """agent.jsonl: a header, every event that the agent meant to say, and a trailer that counts them."""

    def __init__(self, path: Path, run: str, host: str, trial: int) -> None:
        self._file = path.open("wb", buffering=0)  # each line is whole on disk, whatever ends this process
        self._lines = 0
        utc = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
        header = {"header": 1, "file": "agent", "version": 1, "run": run, "host": host, "trial": trial}
        self._file.write(encode({**header, "t": time.monotonic_ns(), "utc": utc}))

    def write(self, line: bytes) -> None:
        self._file.write(line)
        self._lines += 1

    def close(self) -> None:
        self._file.write(encode({"trailer": 1, "lines": self._lines, "t": time.monotonic_ns()}))
        self._file.close()


class Outbox:
    """A bounded queue in front of a pipe that may be full, and a thread that empties it."""

    def __init__(
        self, journal: Optional[Journal], broken: Callable[[], object] = lambda: None, descriptor: int = 1
    ) -> None:
        """Call `broken`, in the outbox's thread, when nobody reads the pipe any more."""
        self._journal = journal
        self._broken = broken
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._deliver, name="outbox", daemon=True)
        self._thread.start()

    def say(self, event: Event) -> None:
        """Queue an event, or count it as dropped; safe from any thread.

        The line is in the journal before anybody can read it on stdout: both happen under one lock. The queue comes
        first, so that the conductor still hears an event that a full disk refuses.
        """
        line = encode(event)
        with self._changed:
            if self._closed:
                return
            if len(self._lines) < CAPACITY:
                self._lines.append(line)
                self._changed.notify()
            else:
                self._dropped += 1
            if self._journal:
                self._journal.write(line)

    def close(self, patience_s: float) -> None:
        """End the journal, and give the reader of the pipe some time to take what still waits."""
        with self._changed:
            self._closed = True
            if self._journal:
                self._journal.close()
            self._changed.notify()
        self._thread.join(patience_s)

    def _next(self) -> Optional[bytes]:
        """The next line to deliver, waiting for one; None at the end."""
        with self._changed:
            while not self._lines and not self._closed:
                self._changed.wait()
            if not self._lines:
                return None
            line = self._lines.popleft()
            if self._dropped:
                line += encode({"event": "dropped", "lines": self._dropped})
                self._dropped = 0
            return line

    def _deliver(self) -> None:
        line = self._next()
        while line is not None:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                self._broken()
                return
            line = self._next()
