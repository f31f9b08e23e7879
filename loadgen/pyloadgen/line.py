"""The agent's two ends of the line: events to stdout and agent.jsonl, orders from stdin. Neither holds the agent up."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from pyloadgen.histogram import Histogram
from pyloadgen.spec import Spec

CAPACITY = 1024  # lines that wait for a reader; beyond that they are dropped and counted
MAX_LINE_BYTES = 1 << 20
READ_BYTES = 1 << 16
REMEDY = "Use a conductor and a generator of the same version."

Event = Mapping[str, Any]


def encode(value: Event) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def protocol_error(message: str) -> Event:
    return {"event": "error", "phase": "protocol", "cause": "protocol", "message": message, "remedy": REMEDY}


class Journal:
    """agent.jsonl: a header, every event that the agent meant to say, and a trailer that counts them."""

    def __init__(self, path: Path, spec: Spec) -> None:
        self._file = path.open("wb", buffering=0)  # each line is whole on disk, whatever ends this process
        self._lines = 0
        utc = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
        header = {"header": 1, "file": "agent", "version": 1, "run": spec.run, "host": spec.host, "trial": spec.trial}
        self._file.write(encode({**header, "t": time.monotonic_ns(), "utc": utc}))

    def write(self, line: bytes) -> None:
        self._file.write(line)
        self._lines += 1

    def close(self) -> None:
        self._file.write(encode({"trailer": 1, "lines": self._lines, "t": time.monotonic_ns()}))
        self._file.close()


class Outbox:
    """A bounded queue in front of a pipe that may be full, and a thread that empties it."""

    def __init__(self, journal: Optional[Journal], broken: Callable[[], None], descriptor: int = 1) -> None:
        self._journal = journal
        self._broken = broken  # called when nobody reads any more
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._deliver, name="outbox", daemon=True)
        self._thread.start()

    def say(self, event: Event) -> None:
        """Queue an event, or count it as dropped; safe from any thread."""
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


class Inbox:
    """Reads orders in a thread of its own, and answers `clock` from there at once. None is the end of the input."""

    def __init__(self, outbox: Outbox, orders: queue.SimpleQueue[Any], descriptor: int = 0) -> None:
        self._outbox = outbox
        self._orders = orders
        self._descriptor = descriptor
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
                self._orders.put(None)
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._order(line, now)
            if len(rest) > MAX_LINE_BYTES:
                self._outbox.say(protocol_error("An order is longer than 1 MiB."))
                rest = b""

    def _order(self, line: bytes, now: int) -> None:
        try:
            order = json.loads(line)
        except (ValueError, RecursionError):
            order = None
        if not isinstance(order, dict) or not isinstance(order.get("order"), str):
            self._outbox.say(protocol_error(f"A line of {len(line)} bytes is not an order."))
        elif order["order"] == "clock" and whole(order.get("n")):
            self._outbox.say({"event": "clock", "n": order["n"], "t": now})
        elif order["order"] != "alive":
            self._orders.put(order)


def whole(value: Any) -> bool:
    return type(value) is int and value >= 0


class LatencyLog:
    """latency.hlog: one histogram a line, tagged by kind, its times in seconds from `go`."""

    def __init__(self, path: Path, spec: Spec) -> None:
        now = datetime.now(timezone.utc)
        utc = now.isoformat(timespec="milliseconds")[:-6]
        self._file = path.open("w", buffering=1)  # a killed agent leaves whole lines
        self._file.write(
            "#[Histogram log format version 1.3]\n"
            f"#[run {spec.run}, trial {spec.trial}, host {spec.host}; nanoseconds; times count from go]\n"
            f"#[StartTime: {now.timestamp():.3f} (seconds since epoch), {utc}Z]\n"
            '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
        )

    def add(self, kind: str, start_s: int, length_s: int, histogram: Histogram, encoded: str) -> None:
        self._file.write(f"Tag={kind},{start_s}.000,{length_s}.000,{histogram.max / 1e6:.3f},{encoded}\n")

    def close(self) -> None:
        self._file.close()


def identify(path: Path, run: str) -> None:
    """Write agent.json, so that who comes later can end this agent and no other; whole, or not at all."""
    start_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"pid": os.getpid(), "start_ticks": start_ticks, "run": run}) + "\n")
    temporary.replace(path)


def forget(path: Path) -> None:
    """Remove agent.json, if it is still this agent's."""
    try:
        mine: dict[str, Any] = json.loads(path.read_text())
        if mine["pid"] == os.getpid():
            path.unlink()
    except (OSError, ValueError, KeyError):
        pass
