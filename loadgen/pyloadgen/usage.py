"""What a generator's processes use, and what their host does meanwhile."""

from __future__ import annotations

import gc
import os
import resource
import time
from pathlib import Path
from typing import Optional

NS = 1_000_000_000
TICK_NS = NS // os.sysconf("SC_CLK_TCK")


class Pauses:
    """Counts the collections of garbage and the time they take; install once a process."""

    def __init__(self) -> None:
        self.cycles = self.pause_ns = 0
        self._began = 0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.monotonic_ns()
        else:
            self.cycles += 1
            self.pause_ns += time.monotonic_ns() - self._began


pauses = Pauses()


def watch_garbage() -> None:
    if pauses not in gc.callbacks:
        gc.callbacks.append(pauses)


def peak_rss() -> int:
    """The largest resident size in bytes. That of getrusage outlives exec, so it can be that of whoever started us."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def used() -> dict[str, int]:
    """What this process has used so far."""
    now = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_user_ns": int(now.ru_utime * NS), "cpu_system_ns": int(now.ru_stime * NS), "max_rss_bytes": peak_rss(),
        "gc_pause_ns": pauses.pause_ns, "gc_cycles": pauses.cycles,
    }  # fmt: skip


def since(before: dict[str, int]) -> dict[str, int]:
    """What was used after `before`; the resident size is the largest of the process's life."""
    now = used()
    return {name: now[name] - (0 if name == "max_rss_bytes" else before[name]) for name in now}


def steal_ns(cpus: Optional[list[int]]) -> int:
    """What a hypervisor has taken from these processors, or from all, so far."""
    names = {f"cpu{cpu}" for cpu in cpus} if cpus else {"cpu"}
    rows = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    return sum(int(row[8]) for row in rows if row and row[0] in names and len(row) > 8) * TICK_NS


def kernel() -> dict[str, int]:
    """The counters of this network namespace, such as Tcp.RetransSegs."""
    found: dict[str, int] = {}
    for name in ("snmp", "netstat"):
        path = Path("/proc/self/net", name)
        lines = path.read_text().splitlines() if path.exists() else []
        for names, values in zip(lines[::2], lines[1::2]):
            group = names.split(":")[0]
            found.update(
                (f"{group}.{field}", int(value)) for field, value in zip(names.split()[1:], values.split()[1:])
            )
    return found


def grown(before: dict[str, int]) -> dict[str, int]:
    """The counters that grew since `before`, and by how much."""
    return {name: value - before.get(name, 0) for name, value in kernel().items() if value > before.get(name, 0)}
