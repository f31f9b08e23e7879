"""Decides whether the run may begin on these hosts, and what to tune on each kernel. Pure; on the controller."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from planner.available import asked
from planner.cells import Catalog, Request
from planner.check import Host
from planner.fitness import GOARCH
from planner.parameters import Refused
from planner.room import sockets
from plugins.module_utils.c10k_sysctl import RANGE, RESERVED

Controller = Mapping[str, Any]
"""boot_id, netns."""


def check_groups(groups: Mapping[str, list[str]], absent: str | None = None) -> tuple[str, list[str]]:
    """The one server and the clients of the inventory, which may say itself why it has none (`absent`)."""
    servers, clients = list(groups.get("c10k_server", [])), list(groups.get("c10k_clients", []))
    if absent and not servers and not clients:
        raise Refused([absent])
    problems = []
    if not servers:
        problems.append("The inventory has no host in the group c10k_server; it needs exactly one.")
    if len(servers) > 1:
        problems.append(f"The group c10k_server has {len(servers)} hosts ({', '.join(servers)}); it needs exactly one.")
    if not clients:
        problems.append("The inventory has no host in the group c10k_clients; it needs at least one.")
    for name in set(servers) & set(clients):
        problems.append(
            f"{name} is in both c10k_server and c10k_clients; give it two names to let one machine be both."
        )
    if problems:
        raise Refused(problems)
    return servers[0], clients


def leftovers(host: Host, keep_tuned: bool, is_ours: Callable[[str], bool]) -> str | None:
    """One line on what earlier runs left on a host; of logs only those of runs that this checkout knows."""
    facts = host["probe"]["facts"]
    parts = []
    if facts["tuned_by"]:
        then = "keep_tuned leaves it so" if keep_tuned else "it is put back at the end of this run"
        parts.append(f"the kernel is still tuned by {', '.join(facts['tuned_by'])} ({then})")
    if facts["agent"]:
        run = facts["agent"]["run"] or "a run that it does not name"
        parts.append(f"the agent of {run} still runs (playbooks/stop.yml ends it)")
    if uncollected := list(filter(is_ours, facts["uncollected"])):
        oldest, newest = uncollected[0], uncollected[-1]
        more = f" and {len(uncollected) - 1} more" if len(uncollected) > 1 else ""
        of = newest if newest == oldest else f"{newest}{more}"
        parts.append(f"logs of {of} were not collected (playbooks/collect.yml -e run={newest})")
    return f"{host['name']}: {'; '.join(parts)}" if parts else None


def programs_asked(request: Request, catalog: Catalog, need: str = "cc") -> list[str]:
    """The strategies of the run that are programs of their own: in C, or with need `go` in Go."""
    return [name for name in asked(request) if need in catalog[name].needs]


def go_servers(request: Request, catalog: Catalog, server: Host) -> tuple[str | None, str | None]:
    """The architecture for which servers in Go are to be built, if any are asked for; and why they cannot be."""
    names, arch = programs_asked(request, catalog, "go"), server["probe"]["facts"]["arch"]
    if names and arch not in GOARCH:
        only = f"{', '.join(names)} is built for {', '.join(GOARCH)} only"
        return None, f"{only}, and {server['name']} is a {arch}."
    return GOARCH[arch] if names else None, None


def references(
    request: Request, catalog: Catalog, server: Host, arch: str, has_compiler: bool
) -> tuple[bool, str | None]:
    """Should the C programs be built for the server host? Where the run wants them in vain, a sentence says why."""
    names, there = programs_asked(request, catalog), server["probe"]["facts"]["arch"]
    if not names and not request.run_wide["calibrate"]:
        return False, None
    who = f"{', '.join(names)} is" if names else "its server is"
    if not has_compiler:
        return False, f"{who} written in C, and this controller has no `cc` to build it: install gcc or clang."
    if there != arch:
        return False, f"{who} built on this controller, a {arch}, and {server['name']} is a {there}."
    return True, None


# What is asked of each kernel ----------------------------------------------------------------------------------------


def needs(request: Request, hosts: Sequence[Host]) -> dict[str, int]:
    """What this run needs of a kernel that it would rather not touch."""
    clients = [host for host in hosts if host["role"] == "client"]
    weights = sum(host["weight"] for host in clients)
    share = max(host["weight"] / weights / len(host["sources"]) for host in clients)
    return {
        "backlog": max(cell["backlog"] for cell in request.cells),
        "ports": max(math.ceil(sockets(cell) * share / cell["server_ports"]) for cell in request.cells),
        "descriptors": 3 * (1 + request.run_wide["duet"]) * max(sockets(cell) for cell in request.cells) + 10_000,
    }


def too_small(facts: Mapping[str, Any], need: Mapping[str, int]) -> list[str]:
    """The keys of which the kernel has less than the run needs."""
    low, high = facts["port_range"]
    present = {
        "net.core.somaxconn": (facts["somaxconn"], need["backlog"]),
        "net.ipv4.tcp_max_syn_backlog": (math.inf if facts["syncookies"] else facts["syn_backlog"], need["backlog"]),
        RANGE: (high - low + 1, need["ports"]),
        "fs.file-max": (facts["file_max"], need["descriptors"]),
    }
    return [key for key, (there, needed) in present.items() if there < needed]


def own(scope: str, facts: Mapping[str, Any], controller: Controller) -> bool:
    """Is it the kernel on which the person at the controller works?"""
    same_machine = bool(facts["boot_id"] == controller["boot_id"])
    return same_machine and (scope == "global" or facts["netns"] == controller["netns"])


def tuning(
    request: Request, hosts: Sequence[Host], controller: Controller, profile: list[dict[str, Any]]
) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """The entries of the profile to ask of each host, and what to say about them."""
    tune, need = request.run_wide["tune"], needs(request, hosts)
    chosen: dict[str, list[dict[str, Any]]] = {host["name"]: [] for host in hosts}
    powerless, spared, touched = [], False, []
    for host in hosts if tune != "off" and profile else ():
        name, facts = host["name"], host["probe"]["facts"]
        if not facts["root"]:
            powerless.append(name)
            continue
        for entry in profile:
            if tune == "auto" and own(entry["scope"], facts, controller):
                spared = True
                # The listeners are reserved where the range grows, which may swallow them.
                if (RANGE if entry["key"] == RESERVED else entry["key"]) not in too_small(facts, need):
                    continue
                touched.append(entry["key"])
            chosen[name].append(entry)
    lines = []
    small = {key: None for host in hosts for key in too_small(host["probe"]["facts"], need)}
    if not profile and small and tune != "off":
        lines.append(
            f"This profile tunes nothing, and {', '.join(small)} is less than this run asks for: what is measured may "
            "be that limit. profile=c10k asks for more."
        )
    if powerless:
        lines.append(
            f"The kernel of {', '.join(powerless)} is left as it is: the user there is not, and may not become, root."
        )
    if spared:
        names = ", ".join(dict.fromkeys(touched))
        only = f"only {names} is tuned, which this run needs"
        nothing = "nothing is tuned, since it is enough for this run"
        is_here = any(own("netns", host["probe"]["facts"], controller) for host in hosts)
        what = "On this machine's own kernel" if is_here else "Of what the hosts share with this machine's own kernel"
        lines.append(f"{what} {only if names else nothing}; tune=required asks for the whole profile.")
    return chosen, lines
