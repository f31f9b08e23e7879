"""Which strategies of a request the server host can run, and what becomes of the others. On the controller."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner import wheels
from planner.cells import Catalog, Request, interpreters, without

SUBINTERPRETERS_SINCE = (3, 12)  # each with a lock of its own
IO_URING_SINCE = (6, 1)  # completions that are worked on only where the program asks for them

Host = Mapping[str, Any]
Pair = tuple[str, str | None]
"""A strategy, and the interpreter that it shall run in; None: the server host's own."""
Lacking = dict[str | Pair, str]
"""What cannot be run, with the reason as a sentence: a strategy, an interpreter, or a strategy in an interpreter."""


def asked(request: Request) -> list[str]:
    """The strategies of the request, each once."""
    return list(dict.fromkeys(cell["strategy"] for cell in request.cells if cell["strategy"]))


def without_io_uring(names: list[str], catalog: Catalog, server: Host) -> Lacking:
    """A sentence for each strategy that needs io_uring where the server's kernel has none, or forbids it."""
    facts, host, oldest = server["probe"]["facts"], server["name"], ".".join(map(str, IO_URING_SINCE))
    found = re.match(r"(\d+)\.(\d+)", facts["kernel_release"])
    if not found or (int(found[1]), int(found[2])) < IO_URING_SINCE:
        reason = f"Linux {oldest}, and {host} has {facts['kernel_release']}: boot a newer one there, or leave it out."
    elif facts["io_uring_disabled"] not in (None, "0"):  # None: older kernels cannot switch it off
        reason = f"io_uring, which {host} forbids: run `sysctl kernel.io_uring_disabled=0` there, as root."
    else:
        return {}
    return {name: f"{name} needs {reason}" for name in names if "io_uring" in catalog[name].needs}


def interpreter(level: str | None, server: Host) -> dict[str, Any]:
    """What the server host says of an interpreter of the request; None: of its own."""
    facts = server["probe"]["facts"]
    own = {name: facts[name] for name in ("executable", "python", "implementation", "free_threaded", "libc", "arch")}
    return own | (facts["interpreters"].get(level) or {} if level else {})


def without_interpreter(request: Request, server: Host) -> Lacking:
    """Each interpreter that `all` brought and the host has not, with a sentence for all. One that was named is refused
    before."""
    known = server["probe"]["facts"]["interpreters"]
    absent = [level for level in interpreters(request.cells) if level in request.optional and not known.get(level)]
    return dict.fromkeys(absent, f"{server['name']} has no Python {', '.join(absent)}.")


def without_subinterpreters(request: Request, catalog: Catalog, server: Host) -> Lacking:
    """A sentence for each strategy that needs interpreters with a lock each, and is to run in a Python without them."""
    found: Lacking = {}
    for name, level in sorted(pairs(request), key=str):
        facts = interpreter(level, server)
        release = tuple(int(part) for part in facts["python"].split(".")[:2])
        has_them = facts["implementation"] == "CPython" and release >= SUBINTERPRETERS_SINCE
        if name and "subinterpreters" in catalog[name].needs and not has_them:
            found[name, level] = (
                f"{name} needs CPython {'.'.join(map(str, SUBINTERPRETERS_SINCE))} or newer, and is to run in "
                f"{facts['implementation']} {facts['python']} of {server['name']}: name a newer one (`-e python=`), or "
                "leave it out."
            )
    return found


def wheels_for(
    request: Request, catalog: Catalog, server: Host, cache: Path, lock: Path, check_mode: bool
) -> tuple[dict[str, Path], Lacking]:
    """Where the packages of the strategies are, by the name that they have on a host; and a sentence for each strategy
    that cannot have them, in that interpreter."""
    found: dict[str, Path] = {}
    lacking: Lacking = {}
    for level in dict.fromkeys(cell["python"] for cell in request.cells):
        facts = interpreter(level, server)
        where = f"{facts['implementation']} {facts['python']} of {server['name']}, a {facts['arch']}"
        held = wheels.locked(lock.read_text(encoding="utf-8"), facts)
        asking = [name for name in needing_packages(request, catalog) if (name, level) in pairs(request)]
        needy = [name for name in asking if held.issuperset(catalog[name].packages)]
        lacking |= {
            (name, level): f"{name} cannot run: {lock.name} holds no such package for {where}. Name a newer Python "
            "(`-e python=`), or leave it out."
            for name in asking
            if name not in needy
        }
        if not needy:
            continue
        try:
            if facts["implementation"] != "CPython":
                raise wheels.NotFetched("they are made for CPython only")
            place = wheels.place_of(cache, lock, facts) if check_mode else wheels.fetch(cache, lock, facts)
            found[f"packages-{wheels.abi(facts)}"] = place
        except wheels.NotFetched as error:
            sentence = (
                f"{', '.join(needy)} cannot run: this controller does not get the packages in {lock.name} for {where} "
                f"({error}). Mend the network or pip's index settings here, or leave them out."
            )
            lacking |= dict.fromkeys(((name, level) for name in needy), sentence)
    return found, lacking


def pairs(request: Request) -> set[Pair]:
    """Each strategy with each interpreter that it shall run in."""
    return {(cell["strategy"], cell["python"]) for cell in request.cells}


def needing_packages(request: Request, catalog: Catalog) -> list[str]:
    return [name for name in asked(request) if catalog[name].packages]


def imports(request: Request, catalog: Catalog, server: Host) -> list[dict[str, Any]]:
    """What each interpreter of the request shall be able to import: `python`, its path; `packages`, where they are on
    the host; `names`."""
    wanted: dict[str, dict[str, Any]] = {}
    for name, level in sorted(pairs(request), key=str):
        if not name or (level is None and not catalog[name].packages):
            continue
        facts = interpreter(level, server)
        place = f"packages-{wheels.abi(facts)}"
        one = wanted.setdefault(facts["executable"], {"python": facts["executable"], "packages": place, "names": []})
        one["names"] += [package for package in catalog[name].packages if package not in one["names"]]
    return list(wanted.values())


def settle(request: Request, lacking: Lacking) -> tuple[Request, list[str], list[str]]:
    """The request without what `all` brought in vain; what to say about that; and what forbids the run."""
    absent = [
        what for what in lacking if not {what, *(what if isinstance(what, tuple) else ())}.isdisjoint(request.optional)
    ]
    lines = dict.fromkeys(f"Left out of `all`: {lacking[name]}" for name in absent)
    problems = dict.fromkeys(sentence for name, sentence in lacking.items() if name not in absent)
    return (without(request, absent) if absent else request), list(lines), list(problems)
