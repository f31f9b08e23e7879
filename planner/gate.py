"""The gate before anything is changed: every host fits the run, or the run is refused; says what earlier runs left."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planner import admission, available, fitness, plan, results, resume, variables
from planner.cells import Catalog, Request, without
from planner.check import DOUBTFUL, REFUSED, Check, doubts, refusals
from planner.parameters import Refused
from planner.results import ROOT
from plugins.module_utils.c10k_lock import LOCK
from server import catalog

Say = Callable[[str], None]


def described(
    name: str, role: str, of: variables.Variables, probe: dict[str, Any] | None, sources: Sequence[str]
) -> dict[str, Any]:
    """One host, as the plan and the gate want it, from its variables and from what c10k_probe found."""
    ssh = (probe or {}).get("ssh")  # None: the controller itself
    return {
        "name": name, "role": role, "connection": "ssh" if ssh else "local", "ssh": ssh and ssh["name"],
        "ssh_args": ssh["args"] if ssh else [], "load_address": of.load_address, "listed": list(of.listed),
        "sources": list(sources), "weight": of.weight, "base": probe and probe["base"], "probe": probe,
        "account": ((probe or {}).get("account") or {}).get("name"),
    }  # fmt: skip


def held(host: Mapping[str, Any]) -> dict[str, Any]:
    """One admitted host, as the process that keeps other runs away wants it. Where the SSH user cannot be root, a
    directory of his own stands for the kernel, and another user's run is not seen."""
    return {**host, "lock": LOCK if host["probe"]["facts"]["root"] else host["base"]}


def examined(
    request: Request, resolved: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], probed: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Every host as described(), the server first, and every check; `known` are their variables."""
    hosts, checks = [], []
    for name in (resolved["server"], *resolved["clients"]):
        role = "server" if name == resolved["server"] else "client"
        of, problems = variables.read(name, role, known[name])
        sources = [of.load_address]
        if role == "client" and of.load_address:
            try:
                sources = variables.sources(name, of.load_address, of.listed, request.run_wide["sources"])
            except Refused as refused:
                problems.setdefault("c10k_sources", " ".join(refused.problems))
        hosts.append(described(name, role, of, probed.get(name) or None, sources))
        checks += [
            Check(name, variable, variables.NAMES[variable], str(known[name].get(variable, "–")), REFUSED, problem)
            for variable, problem in problems.items()
        ]
    for name, problem in variables.other_family(hosts[0], hosts):
        checks.append(Check(name, "version of IP", "the server's", "another", REFUSED, problem))
    checks += fitness.checks_of(request, catalog.load(), hosts)
    for host in hosts:
        if not (host["probe"] or {}).get("facts"):
            continue
        if line := admission.leftovers(host, request.run_wide["keep_tuned"], results.is_here):
            checks.append(Check(host["name"], "earlier runs", "nothing left", "something", DOUBTFUL, line))
    return hosts, checks


def admit(
    resolved: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], probed: Mapping[str, Any], say: Say, dry: bool
) -> dict[str, Any]:
    """What measuring on these hosts needs, or Refused with every problem."""
    request = Request(**resolved["request"])
    hosts, checks = examined(request, resolved, known, probed)
    if problems := refusals(checks):
        raise Refused(problems)
    request, built, packages = runnable(request, catalog.load(), hosts[0], say, dry)
    for host in hosts:
        facts = host["probe"]["facts"]
        host.update({key: facts[key] for key in ("boot_id", "cpus", "nofile_hard")}, python=facts["executable"])
        host["goarch"] = fitness.GOARCH.get(facts["arch"])
    for line in doubts(checks):
        say(line)
    controller = {
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "netns": Path("/proc/self/ns/net").stat().st_ino,
    }
    tunings, lines = {}, []
    for level, entries in resolved["profiles"].items():
        tunings[level], told = admission.tuning(request, hosts, controller, entries)
        lines += told
    for line in dict.fromkeys(lines):
        say(line)
    if resolved["missing"]:
        planned = plan.make(
            resolved["run"], resolved["seed"], request, catalog.load(), hosts, controller, built["references"]
        )
        if problems := resume.others(planned, hosts):
            raise Refused(problems)
    return {
        "hosts": hosts, "tunings": tunings, "controller": controller, "ports": fitness.ports(request),
        "request": asdict(request), **built, "packages": {name: str(place) for name, place in packages.items()},
    }  # fmt: skip


def table(
    resolved: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], probed: Mapping[str, Any]
) -> dict[str, Any]:
    """What the doctor shows: `checks`; and where no host is refused, `hosts` and `ports` for an echo between them.
    `there`: by host what is there now, or None where it cannot be looked at."""
    request = Request(**resolved["request"])
    hosts, checks = examined(request, resolved, known, probed)
    fit = all(check.verdict != REFUSED for check in checks)
    lines: list[str] = []
    server = hosts[0]["name"]
    if fit:
        try:
            runnable(request, catalog.load(), hosts[0], lines.append, True)
            checks += [Check(server, "strategies", "there", "not all", DOUBTFUL, line) for line in lines]
        except Refused as refused:
            checks += [Check(server, "strategies", "there", "no", REFUSED, problem) for problem in refused.problems]
    for host in hosts if fit else ():
        host["python"] = host["probe"]["facts"]["executable"]
    return {
        "checks": [asdict(check) for check in checks], "ports": fitness.ports(request),
        "hosts": [held(host) for host in hosts] if fit else [],
        "there": {host["name"]: what_is_there(host) for host in hosts},
    }  # fmt: skip


def what_is_there(host: Mapping[str, Any]) -> dict[str, Any] | None:
    """The facts that are not of the machine but of what runs and has run on it."""
    facts = (host["probe"] or {}).get("facts")
    return {name: facts[name] for name in ("agent", "locked_by", "tuned_by", "uncollected")} if facts else None


def runnable(
    request: Request, strategies: Catalog, server: dict[str, Any], say: Say, dry: bool
) -> tuple[Request, dict[str, Any], dict[str, Path]]:
    """The request with what the server host can run; which programs to build for it, and where its packages are, by the
    names that they have there."""
    names = available.asked(request)
    missing = available.without_interpreter(request, server)
    there = without(request, missing)
    lacking = {
        **missing,
        **available.without_io_uring(names, strategies, server),
        **available.without_subinterpreters(there, strategies, server),
    }
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
        there, strategies, server, ROOT / ".cache", ROOT / "requirements-server.lock", dry
    )
    request, lines, problems = available.settle(request, lacking | unfetched)
    if problems:
        raise Refused(problems)
    for line in lines:
        say(line)
    return request, {"references": references, "go_servers": go_servers}, packages
