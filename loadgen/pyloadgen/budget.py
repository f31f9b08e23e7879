"""Checks, before the first socket, that this host has the descriptors, ports and threads that a share needs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pyloadgen.errors import Refusal
from pyloadgen.spec import Spec, sources_of
from pyloadgen.threads import check_threads

SPARE_DESCRIPTORS = 64  # of each process: streams, files, epoll


class Ports(NamedTuple):
    """How many source ports there are from one address to one address and port, and the range they are in."""

    room: int
    range: str


def count_ports(port_range: str, reserved: str) -> Ports:
    """The size of a range such as "32768\t60999" without reserved ports such as "40000-40010,50000"."""
    low, high = map(int, port_range.split())
    count = high - low + 1
    for part in reserved.replace("\n", ",").split(","):
        if part.strip():
            first, _, last = part.strip().partition("-")
            count -= max(0, min(high, int(last or first)) - max(low, int(first)) + 1)
    return Ports(count, f"{low}-{high}")


def read_ports() -> Ports:
    kernel = Path("/proc/sys/net/ipv4")
    reserved = kernel / "ip_local_reserved_ports"  # absent in some containers
    return count_ports((kernel / "ip_local_port_range").read_text(), reserved.read_text() if reserved.exists() else "")


def check(spec: Spec, processes: int, descriptors: int, ports: Ports) -> None:
    """Refuse a share that this host cannot hold."""
    check_descriptors(spec, processes, descriptors)
    check_ports(spec, ports)
    if spec.generator == "threads":
        check_threads(spec.busy, processes)


def check_descriptors(spec: Spec, processes: int, descriptors: int) -> None:
    each = -(-spec.connections // processes) + SPARE_DESCRIPTORS
    if each > descriptors:
        of = f"in each of {processes} processes" if processes > 1 else "in one process"
        raise Refusal(
            "budget",
            "descriptors",
            f"{spec.connections} connections need {each} descriptors {of} and a process may have {descriptors}.",
            "Raise the hard limit of open files (LimitNOFILE, /etc/security/limits.conf) or give more clients.",
        )


def check_ports(spec: Spec, ports: Ports) -> None:
    pairs = max(1, len(sources_of(spec))) * len(spec.targets)
    need = -(-spec.connections // pairs)  # the pairs are used in turn, so the first has the most
    if need > ports.room:
        source = spec.sources[0] if spec.sources else "one source address"
        raise Refusal(
            "budget",
            "ports",
            f"{spec.connections} connections from {source} to {spec.targets[0]} need {need} source ports "
            f"and this host has {ports.room} (ip_local_port_range {ports.range}).",
            "Widen net.ipv4.ip_local_port_range, give this client more source addresses or give more clients.",
        )
