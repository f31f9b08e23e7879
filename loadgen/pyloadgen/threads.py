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

import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pyloadgen.blocking import Walker
from pyloadgen.books import Report
from pyloadgen.errors import Refusal
from pyloadgen.ledger import Interval
from pyloadgen.pacing import Turns
from pyloadgen.part import Generator, Part

STACK_BYTES = 128 << 10
SPARE_THREADS = 16
MAPS_A_THREAD = 3
LOOK_S = 0.01  # how often the first thread looks whether all must stop
REMEDY = (
    "Give fewer active connections, raise vm.max_map_count, kernel.threads-max and pids.max, or use another generator."
)

Job = Callable[[Walker], None]


def check_threads(active: int, processes: int) -> None:
    """Refuse, before the first socket, a share that has more threads than this host allows."""
    each = -(-active // processes) + SPARE_THREADS
    limits = [("vm.max_map_count", read("/proc/sys/vm/max_map_count") // MAPS_A_THREAD, each)]
    total = each * processes
    limits.append(("kernel.threads-max", read("/proc/sys/kernel/threads-max"), total))
    limits.append(("pids.max", read("/sys/fs/cgroup/pids.max"), total))
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if most != resource.RLIM_INFINITY:
        limits.append(("the limit of processes (ulimit -u)", most, total))
    for name, have, need in limits:
        if 0 < have < need:
            message = f"{active} active connections need {need} threads and {name} allows {have}."
            raise Refusal("budget", "threads", message, REMEDY)


def read(path: str) -> int:
    """A number of the kernel's; 0 where there is none, or no limit."""
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return 0


class Threads(Generator):
    """The threads of one process. They are started before the first connection and then do one job after another."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self._lock = threading.Lock()  # of the books
        self._halt = threading.Event()
        self._turn = threading.Condition()
        self._number = 0  # of the job
        self._job: Job = Walker.close
        self._busy = 0
        spec = part.spec
        self._walkers = [Walker(part, [i], self._halt.wait, self._lock) for i in part.indices() if i < spec.busy]
        self._idle = Walker(part, [i for i in part.indices() if i >= spec.busy], self._halt.wait, self._lock)
        self._started = False

    def _start(self) -> None:
        threading.stack_size(STACK_BYTES)
        for count, walker in enumerate(self._walkers):
            try:
                threading.Thread(target=self._work, args=(walker,), daemon=True).start()
            except RuntimeError as error:  # can't start new thread
                message = (
                    f"{len(self._walkers)} active connections need as many threads; {count} could be had: {error}."
                )
                raise Refusal("budget", "threads", message, REMEDY) from None
        threading.stack_size(0)
        self._started = True

    def _work(self, walker: Walker) -> None:
        number = 0
        while True:
            with self._turn:
                while self._number == number:
                    self._turn.wait()
                number, job = self._number, self._job
            try:
                job(walker)
            finally:
                with self._turn:
                    self._busy -= 1

    def _all(self, job: Job) -> None:
        """Have every thread do a job; this one does that of the idle connections, then waits for the others."""
        with self._turn:
            self._job, self._busy = job, len(self._walkers)
            self._number += 1
            self._turn.notify_all()
        job(self._idle)
        while self._busy:
            time.sleep(LOOK_S)
            if self.part.stopped():
                self._halt.set()

    def arm(self, total: int, start: int) -> None:
        if not self._started:
            self._start()
        self._all(lambda walker: walker.arm(total, start))

    def prove(self) -> tuple[int, int]:
        results: list[tuple[int, int]] = []
        self._all(lambda walker: results.append(walker.prove()))
        return sum(verified for verified, _ in results), sum(failed for _, failed in results)

    def run(self, at: int, emit: Callable[[Interval], None]) -> Report:
        books = self.part.books
        books.begin(at, planners=len(self._walkers), emit=emit)
        self._all(lambda walker: self._load(walker, at))
        books.ledger.finish(self.part.seconds(at))
        counts: list[int] = []
        self._all(lambda walker: counts.append(walker.look()))
        books.open = sum(counts)
        return books.report()

    def _load(self, walker: Walker, at: int) -> None:
        if walker is self._idle:
            return
        if self.part.spec.does.holds:
            (own,) = walker.indices
            walker.offer(at, walker.schedule(Turns(own, self.part.spec.active, self.part.spec.active)))
        else:
            walker.churn(at)

    def close(self) -> None:
        self._halt.set()
        for walker in (*self._walkers, self._idle):
            walker.close()
