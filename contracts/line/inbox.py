"""Orders from stdin, read in a thread of their own."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from typing import Any

from contracts.line.events import protocol_error, whole
from contracts.line.outbox import Outbox

MAX_LINE_BYTES = 1 << 20
READ_BYTES = 1 << 16


class Inbox:
    """Puts each order into a queue, and None at the end of the input. It answers `clock` itself, at once."""

    def __init__(self, outbox: Outbox, orders: queue.SimpleQueue[Any], descriptor: int = 0) -> None:
        self._outbox = outbox
        self._orders = orders
        self._descriptor = descriptor
        self.heard = time.monotonic()  # when the inbox last read anything
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
