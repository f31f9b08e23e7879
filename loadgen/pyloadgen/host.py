"""What a generator's host allows, before the first socket; what its processes use; and what the host does meanwhile."""

from __future__ import annotations

import os
import re
import resource
import time
from pathlib import Path
from typing import Optional

from pyloadgen.errors import Refusal
from pyloadgen.spec import Spec, sources_of

SPARE_DESCRIPTORS = 64  # of each process: streams, files, epoll
SPARE_THREADS = 16
MAPS_A_THREAD = 3
DESCRIPTORS_REMEDY = "Raise the hard limit of open files (LimitNOFILE, /etc/security/limits.conf) or give more clients."
PORTS_REMEDY = "Widen net.ipv4.ip_local_port_range, give this client more source addresses or give more clients."
THREADS_REMEDY = (
    "Give fewer active connections, raise vm.max_map_count, kernel.threads-max and pids.max, or use another generator."
)
NS = 1_000_000_000
TICK_NS = NS // os.sysconf("SC_CLK_TCK")


def count_ports(port_range: str, reserved: str) -> int:
    """The size of a range such as "32768\t60999" without reserved ports such as "40000-40010,50000"."""
    low, high = map(int, port_range.split())
    count = high - low + 1
    for part in reserved.replace("\n", ",").split(","):
        if part.strip():
            first, _, last = part.strip().partition("-")
            count -= max(0, min(high, int(last or first)) - max(low, int(first)) + 1)
    return count


def read_ports() -> tuple[str, str]:
    """The range of source ports, and those of them that are reserved."""
    reserved = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")  # absent in some containers
    port_range = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    return port_range, reserved.read_text() if reserved.exists() else ""


def check(spec: Spec, processes: int, descriptors: int, port_range: str, reserved: str) -> None:
    """Refuse, before the first socket, a share that this host cannot hold."""
    each = -(-spec.connections // processes) + SPARE_DESCRIPTORS
    if each > descriptors:
        of = f"in each of {processes} processes" if processes > 1 else "in one process"
        message = f"{spec.connections} connections need {each} descriptors {of} and a process may have {descriptors}."
        raise Refusal("budget", "descriptors", message, DESCRIPTORS_REMEDY)
    pairs = max(1, len(sources_of(spec))) * len(spec.targets)
    need, room = -(-spec.connections // pairs), count_ports(port_range, reserved)
    if need > room:  # the pairs are used in turn, so the first has the most
        way = f"from {spec.sources[0] if spec.sources else 'one source address'} to {spec.targets[0]}"
        have = f"this host has {room} (ip_local_port_range {'-'.join(port_range.split())})"
        message = f"{spec.connections} connections {way} need {need} source ports and {have}."
        raise Refusal("budget", "ports", message, PORTS_REMEDY)
    if spec.generator == "threads":
        check_threads(spec.busy, processes)


def check_threads(active: int, processes: int) -> None:
    each = -(-active // processes) + SPARE_THREADS
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    for name, have, need in (
        ("vm.max_map_count", read("/proc/sys/vm/max_map_count") // MAPS_A_THREAD, each),
        ("kernel.threads-max", read("/proc/sys/kernel/threads-max"), each * processes),
        ("pids.max", read("/sys/fs/cgroup/pids.max"), each * processes),
        ("the limit of processes (ulimit -u)", max(0, most), each * processes),  # infinity is below 0
    ):
        if 0 < have < need:
            message = f"{active} active connections need {need} threads and {name} allows {have}."
            raise Refusal("budget", "threads", message, THREADS_REMEDY)


def read(path: str) -> int:
    """A number of the kernel's; 0 where there is none, or no limit."""
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return 0


# What is used


collections = {"gc_pause_ns": 0, "gc_cycles": 0}  # of garbage, in this process
collecting_since = 0


def note_collection(phase: str, _info: dict[str, int]) -> None:
    """One of gc.callbacks."""
    global collecting_since
    if phase == "start":
        collecting_since = time.monotonic_ns()
    else:
        collections["gc_cycles"] += 1
        collections["gc_pause_ns"] += time.monotonic_ns() - collecting_since


def peak_rss() -> int:
    """The largest resident size in bytes. That of getrusage outlives exec, so it can be that of whoever started us."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def used() -> dict[str, int]:
    """What this process has used so far."""
    now = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_user_ns": int(now.ru_utime * NS), "cpu_system_ns": int(now.ru_stime * NS), "max_rss_bytes": peak_rss(),
        **collections,
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
