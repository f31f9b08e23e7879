"""The agent's two ends of the line: events to stdout and agent.jsonl, orders from stdin. Neither blocks the agent."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from server.spec import Spec

CAPACITY = 1000  # lines that wait for a reader; beyond that they are dropped and counted
MAX_LINE_BYTES = 1 << 20
READ_BYTES = 1 << 16

Event = Mapping[str, Any]


def encode(value: Event) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class Journal:
    """agent.jsonl: a header, every event that the agent meant to say, and a trailer that counts them."""

    def __init__(self, path: Path, spec: Spec) -> None:
        self._file = path.open("wb", buffering=0)  # each line is whole on disk, whatever ends this process
        self._lines = 0
        utc = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._file.write(
            encode(
                {"header": 1, "file": "agent", "version": 1, "run": spec.run, "host": spec.host, "trial": spec.trial}
                | {"t": time.monotonic_ns(), "utc": utc}
            )
        )

    def write(self, line: bytes) -> None:
        self._file.write(line)
        self._lines += 1

    def close(self) -> None:
        self._file.write(encode({"trailer": 1, "lines": self._lines, "t": time.monotonic_ns()}))
        self._file.close()


class Outbox:
    """A bounded queue in front of a pipe that may be full, and a thread that empties it."""

    def __init__(self, journal: Journal | None, descriptor: int = 1) -> None:
        self._journal = journal
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._closed = False
        self._changed = threading.Condition()
        self.broken = threading.Event()  # nobody reads any more
        self._thread = threading.Thread(target=self._deliver, name="outbox", daemon=True)
        self._thread.start()

    def say(self, event: Event) -> None:
        """Queue an event, or count it as dropped; safe from any thread."""
        line = encode(event)
        with self._changed:
            if self._closed:
                return
            if self._journal:
                self._journal.write(line)
            if len(self._lines) < CAPACITY:
                self._lines.append(line)
                self._changed.notify()
            else:
                self._dropped += 1

    def close(self, patience_s: float) -> None:
        """End the journal, and give the reader of the pipe some time to take what still waits."""
        with self._changed:
            self._closed = True
            if self._journal:
                self._journal.close()
            self._changed.notify()
        self._thread.join(patience_s)

    def _next(self) -> bytes | None:
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
                self.broken.set()
                return
            line = self._next()


class Inbox:
    """Reads orders in a thread of its own, and answers `clock` from there at once."""

    def __init__(self, outbox: Outbox, descriptor: int = 0) -> None:
        self._outbox = outbox
        self._descriptor = descriptor
        self.orders: queue.SimpleQueue[Optional[dict[str, Any]]] = queue.SimpleQueue()  # None: the input ended
        self.heard = time.monotonic()  # when anything was last read
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                data = os.read(self._descriptor, READ_BYTES)
            except OSError:
                data = b""
            now = time.monotonic_ns()
            self.heard = now / 1e9
            if not data:
                self.orders.put(None)
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.strip():
                    self._order(line, now)
            if len(rest) > MAX_LINE_BYTES:
                self._refuse("An order is longer than 1 MiB.")
                rest = b""

    def _order(self, line: bytes, now: int) -> None:
        try:
            order = json.loads(line)
        except ValueError:
            order = None
        if not isinstance(order, dict) or not isinstance(order.get("order"), str):
            self._refuse(f"This is not an order: {line[:80].decode(errors='replace')!r}.")
        elif order["order"] == "clock" and type(order.get("n")) is int:
            self._outbox.say({"event": "clock", "n": order["n"], "t": now})
        elif order["order"] != "alive":
            self.orders.put(order)

    def _refuse(self, message: str) -> None:
        remedy = "Send one JSON object a line, as docs/contracts.md describes."
        self._outbox.say(
            {"event": "error", "phase": "protocol", "cause": "protocol", "message": message, "remedy": remedy}
        )
