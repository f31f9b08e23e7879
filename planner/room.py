"""Is there room on a host for what the connections of a run cost? Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.declared import GENERATORS
from planner import plan
from planner.cells import Catalog, Request
from planner.check import DOUBTFUL, REFUSED, Check, Facts, Host, judged
from server.catalog import OWN_DESCRIPTORS

KERNEL_PER_SOCKET = 4096
"""Bytes of a kernel for one end of a connection, as the generator reckons too; a program needs more beside it."""
LEAST_DISK, ENOUGH_DISK = 64 << 20, 512 << 20
"""Bytes: the programs alone do not fit in the first; logs of a long run may fill the second."""
LEAST_PROCESSES = 256
"""Processes and threads that an agent with its server or generator may have at once."""
GENERATOR_PROCESSES, GENERATOR_SPARE = 1024, 64
"""Processes over which a generator in Go spreads its share at most; descriptors of each beside its connections."""


def size(count: float) -> str:
    """Bytes for people."""
    unit = min(3, int(math.log2(count) / 10)) if count >= 1 else 0
    return f"{count / 1024**unit:.3g} {('bytes', 'KiB', 'MiB', 'GiB')[unit]}"


def sockets(cell: Mapping[str, Any]) -> int:
    """All that are open at once on the clients' side, the hostile ones included."""
    return int(cell["connections"]) + (cell["hostile"]["connections"] if cell["hostile"] else 0)


def ends(request: Request, hosts: Sequence[Host], host: Host) -> int:
    """Ends of connections that one host holds at once: the server all, a client its share."""
    most: int = max(map(sockets, request.cells)) * (1 + int(request.run_wide["duet"]))
    if host["role"] == "server":
        return most
    weights = sum(float(one["weight"]) for one in hosts if one["role"] == "client")
    return math.ceil(most * float(host["weight"]) / weights)


def server_descriptors(request: Request, catalog: Catalog, host: Host, facts: Facts) -> Check:
    """As the server's agent would judge; a loop with a limit of its own may try, and its limit is a result."""
    have, need, who, mend = facts["nofile_hard"], 0, "", ""
    for cell in request.cells:
        strategy = catalog.get(cell["strategy"])
        if strategy is None or strategy.most_descriptors is not None:
            continue
        each = strategy.processes(plan.workers(cell, catalog, len(facts["cpus"]), have))
        here = math.ceil(cell["connections"] / each) + cell["server_ports"] - 1 + OWN_DESCRIPTORS
        if here > need:
            need, who, mend = here, strategy.name, "" if strategy.one_process else " or more workers"
    bad = (
        f": {who} needs {need:,} descriptors in one process, and the hard limit of its user is {have:,}: raise it "
        f"(LimitNOFILE, /etc/security/limits.conf), or ask for fewer connections{mend}."
    )
    return judged(host, "descriptors", f"{need:,}" if who else "–", f"{have:,}", bad if need > have else "")


def client_descriptors(request: Request, hosts: Sequence[Host], host: Host, facts: Facts) -> Check:
    """A generator in Go spreads its share over processes; those in Python tell themselves where they end."""
    have = facts["nofile_hard"]
    in_go = any(GENERATORS[cell["generator"]].program == "loadgen" for cell in request.cells)
    share = ends(request, hosts, host)
    need = math.ceil(share / GENERATOR_PROCESSES) + GENERATOR_SPARE
    bad = (
        f": its share of {share:,} connections needs {need:,} descriptors in each of {GENERATOR_PROCESSES} processes, "
        f"and the hard limit of its user is {have:,}: raise it (LimitNOFILE, limits.conf), or add clients."
    )
    return judged(host, "descriptors", f"{need:,}" if in_go else "–", f"{have:,}", bad if in_go and need > have else "")


def memory(request: Request, hosts: Sequence[Host], host: Host, facts: Facts) -> Check:
    """The kernel's part alone, of all hosts on one kernel: what is certain. Only what exceeds the whole is refused."""
    together = [
        one for one in hosts
        if one["probe"] and not one["probe"].get("problem") and one["probe"]["facts"]["boot_id"] == facts["boot_id"]
    ]  # fmt: skip
    number = sum(ends(request, hosts, one) for one in together)
    need, limit = number * KERNEL_PER_SOCKET, facts["cgroup"]["memory_bytes"]
    free = min(facts["memory_available_bytes"], math.inf if limit is None else limit)
    cause = "its session's cgroup (memory.max)" if limit is not None and limit == free else "it"
    beside = f" with {', '.join(o['name'] for o in together if o is not host)} beside it" if len(together) > 1 else ""
    bad = (
        f": {number:,} ends of connections{beside} need {size(need)} of its kernel's memory at least, and {cause} has "
        f"{size(free)} left: ask for fewer connections, or give it more."
    )
    verdict = REFUSED if need > facts["memory_bytes"] else DOUBTFUL
    return judged(host, "memory", size(need), size(free), bad if need > free else "", verdict)


def conntrack(request: Request, hosts: Sequence[Host], host: Host, facts: Facts) -> Iterator[Check]:
    """Doubtful at most: that the table is there does not tell which packets are tracked."""
    table = facts["conntrack"]
    if table is None:
        return
    need, room = ends(request, hosts, host), table["max"] - table["count"]
    bad = (
        f": {need:,} connections do not fit into the {room:,} free entries of its connection tracking, which drops the "
        "others where a firewall tracks them: raise net.netfilter.nf_conntrack_max there, or exempt the server's ports "
        "(notrack)."
    )
    yield judged(host, "conntrack", f"{need:,}", f"{room:,}", bad if room < need else "", DOUBTFUL)


def processes(host: Host, facts: Facts) -> Check:
    room = facts["cgroup"]["pids"]
    bad = (
        f": its session's cgroup has room for {room} processes and threads (pids.max), and a run may need "
        f"{LEAST_PROCESSES}: raise TasksMax of its user's slice."
    )
    short = room is not None and room < LEAST_PROCESSES
    return judged(
        host, "processes", LEAST_PROCESSES, "no limit" if room is None else room, bad if short else "", DOUBTFUL
    )


def disk(host: Host, facts: Facts) -> Check:
    free = facts["disk_free_bytes"]
    bad = (
        f": the disk of {host['base']} has {size(free)} free, and programs and logs need {size(LEAST_DISK)} and more: "
        "make room, or set c10k_base to another disk."
    )
    verdict = REFUSED if free < LEAST_DISK else DOUBTFUL
    return judged(host, "disk", size(ENOUGH_DISK), size(free), bad if free < ENOUGH_DISK else "", verdict)
