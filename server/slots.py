"""The statistics file: one 64-byte slot per worker process, eight little-endian u64.

A slot has one writer, its worker, which uses plain 8-byte stores: a reader never sees half a number, and never
holds the worker up. Little-endian machines only, which is every machine we know of that runs this.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import MutableSequence
from pathlib import Path
from typing import Union

SLOT_BYTES = 64
WORDS = 8
FIELDS = ("accepted", "open", "peak", "closed", "bytes_in", "bytes_out", "limit_code", "pid")
ACCEPTED, OPEN, PEAK, CLOSED, BYTES_IN, BYTES_OUT, LIMIT_CODE, PID = range(WORDS)

FD_SETSIZE, DESCRIPTORS, THREADS, PROCESSES, CLIENTS = 1, 2, 3, 4, 5  # limit_code; 0 is none
RESOURCES = dict(enumerate(("FD_SETSIZE", "descriptors", "threads", "processes", "clients served at a time"), 1))

Slot = Union["memoryview[int]", MutableSequence[int]]


def create(path: Path, count: int) -> None:
    """Make the file, or clear the one there is: `count` slots, all zero."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(descriptor, bytes(count * SLOT_BYTES), 0)
        os.ftruncate(descriptor, count * SLOT_BYTES)
    finally:
        os.close(descriptor)


def table(path: Path | None, count: int) -> memoryview[int]:
    """So many slots, shared with every process forked from now on; without a file, in memory that only they see."""
    if path is None:
        return memoryview(mmap.mmap(-1, count * SLOT_BYTES)).cast("Q")
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), count * SLOT_BYTES)).cast("Q")


class Reader:
    """A read-only map of the file; it must exist."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast("Q")

    def slots(self) -> list[dict[str, int]]:
        """Every slot as it is now, in the order of the file; all zero where no worker has begun."""
        words = self._words.tolist()
        return [dict(zip(FIELDS, words[i : i + WORDS])) for i in range(0, len(words), WORDS)]

    def total(self, field: int) -> int:
        """The sum of one field over all slots."""
        return sum(self._words[field::WORDS].tolist())

    def limits(self) -> set[int]:
        """The limit codes that any worker shows."""
        return set(self._words[LIMIT_CODE::WORDS].tolist()) - {0}

    def begun(self) -> bool:
        """Every worker has taken its slot, as it does when it is ready to serve."""
        return all(self._words[PID::WORDS].tolist())
