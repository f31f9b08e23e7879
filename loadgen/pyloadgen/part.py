"""One process's part of a client's share: connections i, i + W, i + 2W, … where the client has W processes."""

from __future__ import annotations

import mmap
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from pyloadgen.books import Books, Report
from pyloadgen.ledger import SECOND, Interval
from pyloadgen.pacing import Turns
from pyloadgen.record import Recorder
from pyloadgen.sockets import Addresses
from pyloadgen.spec import Spec


@dataclass(frozen=True)
class Part:
    """What a process knows. The flag is shared by all processes, and not 0 when they must stop."""

    spec: Spec
    process: int
    processes: int
    recorder: Recorder
    addresses: Addresses
    flag: mmap.mmap
    books: Books

    def stopped(self) -> bool:
        return self.flag[0] != 0

    def indices(self) -> list[int]:
        return list(range(self.process, self.spec.connections, self.processes))

    def seconds(self, at: int) -> int:
        """How many seconds a load that is over now has had."""
        intervals = self.spec.intervals
        if intervals is None:
            return 0  # those in which there was a request
        begun = max(0, (time.monotonic_ns() - at) // SECOND + 1)
        return min(intervals, begun) if self.stopped() else intervals

    def turns(self) -> Turns:
        return Turns(self.process, self.processes, self.spec.active)


class Generator(ABC):
    """How a process does its part. Each method returns when it is done, or has been told to stop."""

    def __init__(self, part: Part) -> None:
        self.part = part

    @abstractmethod
    def arm(self, total: int, start: int) -> None:
        """Connect and verify the part's connections below `total` that were not tried yet, paced from `start` on."""

    @abstractmethod
    def prove(self) -> tuple[int, int]:
        """Verify one echo on each connection still open: how many answered, how many did not."""

    @abstractmethod
    def run(self, at: int, emit: Callable[[Interval], None]) -> Report:
        """Offer the load from `at` on, until each request is settled."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""
