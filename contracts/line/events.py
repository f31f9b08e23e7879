"""Events of the line protocol that every agent says, and how an event becomes a line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

VERSION = 1
REMEDY = "Use a conductor and agents of the same version."

Event = Mapping[str, Any]


def encode(value: Event) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def hello(host: str, role: str, descriptors: int) -> Event:
    """The first event of an agent; `descriptors` is how many files it may have open."""
    who = {"event": "hello", "version": VERSION, "host": host, "pid": os.getpid(), "role": role}
    return {**who, "t": time.monotonic_ns(), "descriptors": descriptors}


def error(phase: str, cause: str, message: str, remedy: str) -> Event:
    return {"event": "error", "phase": phase, "cause": cause, "message": message, "remedy": remedy}


def protocol_error(message: str, remedy: str = REMEDY) -> Event:
    return error("protocol", "protocol", message, remedy)


def whole(value: Any) -> bool:
    """A number of an order: whole, and 0 or more."""
    return type(value) is int and value >= 0
