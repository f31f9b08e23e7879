"""The gate before anything is changed: every host fits the run, or the run is refused; says what earlier runs left."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planner import admission, available
from planner.cells import Catalog, Request
from planner.parameters import Refused
from planner.results import ROOT
from server import catalog

Say = Callable[[str], None]
LOCK = "/run/c10k.lock"
INVENTORY = ("c10k_load_address", "ansible_host", "c10k_sources", "c10k_weight")
"""The inventory's variables of a host that the gate reads."""


def described(name: str, role: str, known: Mapping[str, Any], probe: dict[str, Any] | None) -> dict[str, Any]:
    """One host, as the plan and the gate want it, from its variables and from what c10k_probe found."""
    ssh = (probe or {}).get("ssh")  # None: the controller itself
    alias = str(known.get("ansible_host") or name)
    weight = float(known.get("c10k_weight") or 1)
    return {
        "name": name, "role": role, "connection": "ssh" if ssh else "local", "ssh": ssh and ssh["name"],
        "ssh_args": ssh["args"] if ssh else [],
        "load_address": str(known.get("c10k_load_address") or alias),
        "listed": [str(source) for source in known.get("c10k_sources") or []] if role == "client" else [],
        "weight": int(weight) if weight.is_integer() else weight, "base": probe and probe["base"],
        "probe": probe,
    }  # fmt: skip


def held(name: str, role: str, known: Mapping[str, Any], probe: dict[str, Any]) -> dict[str, Any]:
    """One host, as the process that keeps other runs away wants it. Where the SSH user cannot be root, a directory of
    his own stands for the kernel, and another user's run is not seen."""
    host = described(name, role, known, probe)
    return {**host, "python": probe["facts"]["executable"], "lock": LOCK if probe["facts"]["root"] else host["base"]}


def admit(
    resolved: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], probed: Mapping[str, Any], say: Say, dry: bool
) -> dict[str, Any]:
    """What measuring on these hosts needs, or Refused with every problem; `known` are their variables."""
    request = Request(**resolved["request"])
    roles = {resolved["server"]: "server", **dict.fromkeys(resolved["clients"], "client")}
    hosts = [described(name, role, known[name], probed.get(name) or None) for name, role in roles.items()]
    problems = admission.problems_of(request, hosts)
    try:
        for host in hosts:
            count = request.run_wide["sources"] if host["role"] == "client" else 1
            host["sources"] = admission.sources(host["name"], host["load_address"], host["listed"], count)
    except Refused as refused:
        problems += refused.problems
    if problems:
        raise Refused(problems)
    request, built, packages = runnable(request, catalog.load(), hosts[0], say, dry)
    for host in hosts:
        facts = host["probe"]["facts"]
        host.update({key: facts[key] for key in ("boot_id", "cpus", "nofile_hard")}, python=facts["executable"])
        host["goarch"] = admission.GOARCH.get(facts["arch"])
        if line := admission.leftovers(host, request.run_wide["keep_tuned"]):
            say(line)
    controller = {
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "netns": Path("/proc/self/ns/net").stat().st_ino,
    }
    tuning, lines = admission.tuning(request, hosts, controller, resolved["profile"])
    for line in lines:
        say(line)
    return {
        "hosts": hosts, "tuning": tuning, "controller": controller, "ports": admission.ports(request),
        "request": asdict(request), **built, "packages": packages and str(packages),
    }  # fmt: skip


def runnable(
    request: Request, strategies: Catalog, server: dict[str, Any], say: Say, dry: bool
) -> tuple[Request, dict[str, Any], Path | None]:
    """The request with what the server host can run; which programs to build for it, and where its packages are."""
    names = available.asked(request)
    lacking = available.without_io_uring(names, strategies, server)
    compiler = shutil.which("cc") is not None
    references, sentence = admission.references(request, strategies, server, os.uname().machine, compiler)
    if sentence:
        lacking.update(dict.fromkeys(admission.programs_asked(request, strategies), sentence))
        if request.run_wide["calibrate"]:
            say(f"The calibration at the end is left out: {sentence}")
    go_servers, sentence = admission.go_servers(request, strategies, server)
    if sentence:
        lacking.update(dict.fromkeys(admission.programs_asked(request, strategies, "go"), sentence))
    packages, unfetched = available.wheels_for(
        names, strategies, server, ROOT / ".cache", ROOT / "requirements-server.lock", dry
    )
    request, lines, problems = available.settle(request, lacking | unfetched)
    if problems:
        raise Refused(problems)
    for line in lines:
        say(line)
    return request, {"references": references, "go_servers": go_servers}, packages
