"""What each process of a generator has, and what it must be able to do."""

from __future__ import annotations

import math
import mmap
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pyloadgen.books import SECOND, Books, Interval, Report
from pyloadgen.errors import Lost
from pyloadgen.pacing import Arrival, arrivals
from pyloadgen.record import Recorder, Stream
from pyloadgen.spec import Spec, sources_of, target_of

IP_BIND_ADDRESS_NO_PORT = 24  # no name for it before Python 3.12
LINGER_NS = 3 * SECOND  # at most so long a load that is over waits to see whether replies go on that came in part
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Addresses:
    """Connection i is from source i mod S to target ⌊i/S⌋ mod T."""

    def __init__(self, spec: Spec) -> None:
        self._targets = [target_of(target) for target in spec.targets]
        self._sources = sources_of(spec)
        self._reset = spec.does.holds  # else closing belongs to the load

    def open(self, index: int) -> tuple[socket.socket, Any]:
        """A socket for this connection, not connected yet, and to where; OSError or Lost."""
        family, target = self._targets[index // max(1, len(self._sources)) % len(self._targets)]
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            if self._sources:
                with suppress(OSError):  # then the kernel takes a port of this source for all targets
                    sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                try:
                    sock.bind(self._sources[index % len(self._sources)][1])
                except OSError as error:
                    raise Lost("connect", "source", error.errno) from None
        except BaseException:
            sock.close()
            raise
        return sock, target


@dataclass(eq=False)
class Generator(ABC):
    """One of W processes: it has the connections i, i + W, i + 2W, … of its client's share.

    Each of its deeds returns when it is done, or has been told to stop.
    """

    spec: Spec
    process: int
    processes: int
    recorder: Recorder
    addresses: Addresses
    flag: mmap.mmap  # shared by all processes, and not 0 when they must stop
    emit: Callable[[Interval], None]  # what is done with a second of which every request is settled

    planners = 1  # of requests; of a process with threads several
    at = end = 0  # of the load

    def __post_init__(self) -> None:
        self.books = Books(self.spec, self.quota())

    def quota(self) -> float:
        """This process's part of `requests`."""
        asked = self.spec.requests
        return math.inf if asked is None else len(range(self.process, asked, self.processes))

    def stopped(self) -> bool:
        return self.flag[0] != 0

    def indices(self) -> list[int]:
        return list(range(self.process, self.spec.connections, self.processes))

    def stream(self, index: int) -> Stream:
        return Stream(self.recorder, self.spec.first_connection + index, self.books.integrity, self.spec.timeout_ns)

    def arrivals(self, turns: range) -> Iterator[Arrival]:
        spec = self.spec
        return arrivals(spec.arrival, spec.rate, spec.phase, spec.seed, spec.first_connection, turns)

    def arm(self, total: int, start: int) -> Report:
        """Connect and verify the connections below `total` that were not tried yet, paced from `start` on."""
        self.connect_all(total, start, time.monotonic_ns() + int(self.spec.arm_timeout * 1e9))
        return self.books.armed

    def prove(self) -> Report:
        """Verify one echo on each connection that is still open."""
        right = self.ask_all(time.monotonic_ns() + int(self.spec.arm_timeout * 1e9))
        return {"verified": sum(right), "failed": len(right) - sum(right)}

    def go(self, at: int) -> Report:
        """Offer the load from `at` on, until each request is settled."""
        intervals = self.spec.intervals
        self.at, self.end = at, at + (1 << 32 if intervals is None else intervals) * SECOND
        self.books.begin(at, self.planners, self.emit)
        self.offer()
        seconds = intervals or 0  # without a limit, those in which there was a request
        if self.stopped():
            seconds = min(seconds, max(0, (time.monotonic_ns() - at) // SECOND + 1))
        self.books.ledger.finish(seconds)
        return self.books.report(self.look())

    @abstractmethod
    def connect_all(self, total: int, start: int, deadline: int) -> None:
        """What `arm` says, until the deadline."""

    @abstractmethod
    def ask_all(self, deadline: int) -> list[bool]:
        """What `prove` says: of each open connection whether it answered."""

    @abstractmethod
    def offer(self) -> None:
        """The load, from its start to its end."""

    @abstractmethod
    def look(self) -> int:
        """How many connections are open now; what came unasked or in part is counted."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""
