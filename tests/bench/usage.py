"""What a process and its children use, as /proc shows it now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from server.linux.processes import TICK_NS

NS_PER_US = 1_000


@dataclass(frozen=True)
class Cpu:
    """CPU time so far.

    The kernel tells the sum to the nanosecond, but samples the parts: it divides the sum of a process's whole life as
    its ticks fell so far. So a difference of parts is right only where most of the life before it was like it.
    """

    total_ns: int
    user_ns: int
    system_ns: int


@dataclass(frozen=True)
class Cost:
    """CPU time of one request; its parts are NaN where no tick fell into the time that was measured."""

    total_us: float
    user_us: float
    system_us: float


@dataclass(frozen=True)
class Memory:
    anonymous_bytes: int  # its own memory: heap and stacks, without files and sockets
    pss_bytes: int


def tree(pid: int) -> Iterator[Path]:
    """The directories of a process and its children; servers and generators here have at most one level of them."""
    yield Path(f"/proc/{pid}")
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has just ended
            yield from (Path(f"/proc/{word}") for word in task.read_text().split())


def cpu(pid: int) -> Cpu:
    """Ended children count once their parent has reaped them.

    schedstat has the nanoseconds of one thread, stat the ticks of all that ever were, rounded down. Each says too
    little, so the larger counts: thousands of processes with less than a tick each are not taken for nothing.
    """
    total = user = system = 0
    for one in tree(pid):
        try:
            fields = (one / "stat").read_text().rpartition(")")[2].split()
            ran_ns = int((one / "schedstat").read_text().split()[0])
        except OSError:
            continue  # it has just ended
        own_user, own_system, reaped_user, reaped_system = (int(field) * TICK_NS for field in fields[11:15])
        total += max(own_user + own_system, ran_ns) + reaped_user + reaped_system
        user += own_user + reaped_user
        system += own_system + reaped_system
    return Cpu(total, user, system)


def cost(before: Cpu, after: Cpu, requests: int) -> Cost:
    """What a request took between two readings: the sum, and its parts in proportion to their ticks."""
    total_us = (after.total_ns - before.total_ns) / NS_PER_US / requests
    user, system = after.user_ns - before.user_ns, after.system_ns - before.system_ns
    share = user / (user + system) if user + system else float("nan")
    return Cost(total_us, total_us * share, total_us * (1 - share))


def memory(pid: int) -> Memory:
    anonymous = pss = 0
    for one in tree(pid):
        try:
            lines = (one / "smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines}
        anonymous += sizes.get("Anonymous:", 0)
        pss += sizes.get("Pss:", 0)
    return Memory(anonymous, pss)
