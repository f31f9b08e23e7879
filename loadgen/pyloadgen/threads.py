"""`threads`: a thread for each active connection, which asks when its next request is due, and waits for the reply.

Use it to see one thread per connection from the client's side: the code of each reads from top to bottom, and a
connection that waits holds up nobody else. Idle connections are merely held, by the thread that also starts the
others. Of a Poisson law each thread draws its own share, as independent people would; of a fixed law it takes the
requests that are its own.

It costs a stack and some 20 KB of memory each, and only one thread runs Python at a time. Whoever waits for the
interpreter wakes every 5 ms to ask for it again, so that a crowd that waits leaves no time to those who could work:
10,000 threads with 10,000 requests a second do not run late, they come to a standstill. And there is an end: a
process has about vm.max_map_count / 3 threads (some 21,000) and often much less, in a container by pids.max.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from pyloadgen.blocking import Walker
from pyloadgen.errors import Refusal
from pyloadgen.host import THREADS_REMEDY
from pyloadgen.pool import Pool, T, doze

STACK_BYTES = 128 << 10
LOOK_S = 0.01  # how often the first thread looks whether all must stop


class Threads(Pool):
    """The threads of one process. They are started before the first connection and then do one job after another."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._halt = threading.Event()
        active, busy = self.spec.active, self.spec.busy
        own = [index for index in self.indices() if index < busy]
        self._walkers = [Walker(self, [index], range(index, active, active), self._halt.wait) for index in own]
        self._walker = Walker(self, [index for index in self.indices() if index >= busy], range(0), doze)
        self.planners = len(own) + 1
        self._pool: Optional[ThreadPoolExecutor] = None

    def _start(self) -> ThreadPoolExecutor:
        """A pool starts a thread only where all others are busy, so that each waits until the last one is there."""
        pool, gate = ThreadPoolExecutor(max(1, len(self._walkers))), threading.Event()
        started: list[object] = []
        threading.stack_size(STACK_BYTES)
        try:
            for _ in self._walkers:
                started.append(pool.submit(gate.wait))
        except RuntimeError as error:  # can't start new thread
            need = f"{len(self._walkers)} active connections need as many threads; {len(started)} could be had"
            raise Refusal("budget", "threads", f"{need}: {error}.", THREADS_REMEDY) from None
        finally:
            threading.stack_size(0)
            gate.set()
        return pool

    def each(self, job: Callable[[Walker], T]) -> list[T]:
        """Each thread does the job for its connection; this one does it for the idle ones and then looks on."""
        self._pool = self._pool or self._start()
        futures = [self._pool.submit(job, walker) for walker in self._walkers]
        results = super().each(job)
        while not all(future.done() for future in futures):
            time.sleep(LOOK_S)
            if self.stopped() or self.books.spent:
                self._halt.set()
        return results + [future.result() for future in futures]

    def close(self) -> None:
        self._halt.set()
        for walker in (*self._walkers, self._walker):
            walker.close()
