"""The first deed of a run: the command line becomes typed parameters, or is refused before any host is touched."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import yaml

from contracts.declared import PARAMETERS
from planner import admission, cells, claims, command_line, commands, fitness, results, resume
from planner.parameters import Refused, unknown_names
from planner.profiles import entries as profile_entries
from server import catalog

PROFILES = results.ROOT / "playbooks/profiles"


def resolve(
    given: Mapping[str, Any], known: Iterable[str], groups: Mapping[str, list[str]], absent: str | None = None
) -> dict[str, Any]:
    """What the extra variables ask for. `known`: the names of all other variables; `absent`: why there is no host."""
    server, clients = admission.check_groups(groups, absent)
    profiles = {path.stem: path for path in sorted(PROFILES.glob("*.yml"))}
    others = ["run", "purge", *command_line.OF_HOSTS, *(name for name in known if name.startswith("c10k_"))]
    if "run" in given:  # an empty one too: whoever writes run=$ID wants that run, and no other
        if unknown := unknown_names(given, [*PARAMETERS, "cells", *others], cells.LISTED):
            raise Refused(unknown)
        asked = resume.resume(given)
        request = cells.Request(**asked["request"])
    else:
        given, claim = claims.applied(given)
        request = cells.resolve(given, catalog.load(), list(profiles), others)
        asked = {**fresh(request), "claim": claim}
    known = {name: yaml.safe_load(path.read_text(encoding="utf-8")) for name, path in profiles.items()}
    levels = dict.fromkeys(cell["profile"] for cell in request.cells)
    return {
        **asked, "profiles": {level: profile_entries(level, known) for level in levels},
        "server": server, "clients": clients, "ports": fitness.ports(request),
        **commands.words(request), "interpreters": cells.interpreters(request.cells),
    }  # fmt: skip


def fresh(request: cells.Request) -> dict[str, Any]:
    """What a run that begins has beside its hosts."""
    seed, started = request.run_wide["seed"], results.utc_now()
    return {
        "run": f"{started.replace('-', '').replace(':', '')}-{secrets.token_hex(3)}",
        "seed": secrets.randbelow(2**32) if seed is None else seed, "started_utc": started, "request": asdict(request),
        "missing": None,
    }  # fmt: skip
