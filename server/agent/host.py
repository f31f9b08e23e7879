"""Counts of the whole host: the time of its CPUs, and what went wrong in its network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from server.linux.processes import TICK_NS

# Counters of the network namespace that can explain a latency or a lost connection; the generators watch the same.
WATCHED = (
    "Tcp.AttemptFails", "Tcp.EstabResets", "Tcp.RetransSegs", "Tcp.InErrs", "Tcp.OutRsts",
    "TcpExt.ListenOverflows", "TcpExt.ListenDrops", "TcpExt.TCPTimeouts", "TcpExt.TCPSynRetrans",
    "TcpExt.TCPBacklogDrop", "TcpExt.TCPAbortOnMemory", "TcpExt.TCPAbortOnTimeout", "TcpExt.TCPMemoryPressures",
    "TcpExt.TCPReqQFullDrop", "TcpExt.TCPReqQFullDoCookies", "TcpExt.TCPRcvQDrop", "TcpExt.PruneCalled",
    "TcpExt.TCPLostRetransmit", "TcpExt.TCPSpuriousRTOs", "TcpExt.TCPFastRetrans",
)  # fmt: skip

# The name in cpu.stat, in versions 2 and 1, of the time that a quota kept a cgroup from the CPUs; and its unit.
THROTTLED_NS = {"throttled_usec": 1000, "throttled_time": 1}


class Cpus(NamedTuple):
    """Time that some CPUs spent at work, and that the hypervisor kept from them."""

    busy_ns: int
    steal_ns: int


def cpus(numbers: Iterable[int]) -> Cpus:
    """What the CPUs of these numbers have spent since the host's start."""
    wanted = {f"cpu{number}" for number in numbers}
    busy = steal = 0
    with open("/proc/stat") as file:
        for line in file:
            name, *fields = line.split()
            if not name.startswith("cpu"):
                break  # what follows is long and not about them
            if name in wanted:
                # What guests use is already in user and nice.
                user, nice, system, _idle, _iowait, irq, softirq, stolen = map(int, fields[:8])
                busy += user + nice + system + irq + softirq
                steal += stolen
    return Cpus(busy * TICK_NS, steal * TICK_NS)


def counters() -> dict[str, int]:
    """The watched counters as they stand now; what this host does not have is left out."""
    found = {}
    for file in ("/proc/net/snmp", "/proc/net/netstat"):
        try:
            lines = Path(file).read_text().splitlines()
        except OSError:
            continue
        for names, values in zip(lines[::2], lines[1::2]):  # "Tcp: Name Name" and below it "Tcp: 1 2"
            group = names.partition(":")[0]
            if group in ("Tcp", "TcpExt"):
                pairs = zip(names.split()[1:], values.split()[1:])
                found.update({f"{group}.{name}": int(value) for name, value in pairs})
    return {name: found[name] for name in WATCHED if name in found}


def grown(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """How much each counter grew; a counter that did not grow is left out."""
    return {name: value - before[name] for name, value in now.items() if value > before.get(name, value)}


def quota_file(own: str = "/proc/self/cgroup", mount: str = "/sys/fs/cgroup") -> Path | None:
    """The nearest cpu.stat, from this process's cgroup upwards, that counts throttling; None without one."""
    try:
        lines = Path(own).read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 2 has no controllers here; beside version 1 it is mounted at `unified`.
        for root in [Path(mount, controllers), Path(mount, "cpu" if controllers else "unified")]:
            below = Path(path.lstrip("/"))
            for place in (below, *below.parents):
                file = root / place / "cpu.stat"
                if ".." not in place.parts and throttled_ns(file) is not None:
                    return file
    return None


def throttled_ns(file: Path | None) -> int | None:
    """How long a cgroup was kept from the CPUs by its quota since it was made, summed over the CPUs."""
    try:
        lines = file.read_text().splitlines() if file else []
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(" ")
        if name in THROTTLED_NS:
            return int(value) * THROTTLED_NS[name]
    return None
