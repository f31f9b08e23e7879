"""Which strategies of a request the server host can run, and what becomes of the others. On the controller."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner import wheels
from planner.cells import Catalog, Request, without

IO_URING_SINCE = (6, 1)  # completions that are worked on only where the program asks for them

Host = Mapping[str, Any]


def asked(request: Request) -> list[str]:
    """The strategies of the request, each once."""
    return list(dict.fromkeys(cell["strategy"] for cell in request.cells if cell["strategy"]))


def without_io_uring(names: list[str], catalog: Catalog, server: Host) -> dict[str, str]:
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


def wheels_for(
    names: list[str], catalog: Catalog, server: Host, cache: Path, lock: Path, check_mode: bool
) -> tuple[Path | None, dict[str, str]]:
    """Where the packages of the strategies are, if any needs one; and a sentence for each that cannot have them."""
    needy, facts = [name for name in names if catalog[name].packages], server["probe"]["facts"]
    if not needy:
        return None, {}
    if check_mode:
        return wheels.place_of(cache, lock, facts), {}
    where = f"{facts['implementation']} {facts['python']} of {server['name']}, a {facts['arch']}"
    try:
        if facts["implementation"] != "CPython":
            raise wheels.NotFetched("they are made for CPython only")
        return wheels.fetch(cache, lock, facts), {}
    except wheels.NotFetched as error:
        sentence = (
            f"{', '.join(needy)} cannot run: this controller does not get the packages in {lock.name} for {where} "
            f"({error}). Mend the network or pip's index settings here, or leave them out."
        )
        return None, dict.fromkeys(needy, sentence)


def settle(request: Request, lacking: Mapping[str, str]) -> tuple[Request, list[str], list[str]]:
    """The request without what `all` brought in vain; what to say about that; and what forbids the run."""
    absent = [name for name in request.optional if name in lacking]
    lines = dict.fromkeys(f"Left out of `all`: {lacking[name]}" for name in absent)
    problems = dict.fromkeys(sentence for name, sentence in lacking.items() if name not in absent)
    return (without(request, absent) if absent else request), list(lines), list(problems)
