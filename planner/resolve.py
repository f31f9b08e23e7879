"""The first deed of a run: the command line becomes typed parameters, or is refused before any host is touched."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import yaml

from planner import admission, cells, command_line, fitness, results
from server import catalog

PROFILES = results.ROOT / "playbooks/profiles"


def resolve(given: Mapping[str, Any], known: Iterable[str], groups: Mapping[str, list[str]]) -> dict[str, Any]:
    """What the extra variables ask for; `known` are the names of all other variables."""
    server, clients = admission.check_groups(groups)
    profiles = {path.stem: path for path in sorted(PROFILES.glob("*.yml"))}
    others = ["purge", *command_line.OF_HOSTS, *(name for name in known if name.startswith("c10k_"))]
    request = cells.resolve(given, catalog.load(), list(profiles), others)
    profile = yaml.safe_load(profiles[request.run_wide["profile"]].read_text(encoding="utf-8"))
    seed, started = request.run_wide["seed"], results.utc_now()
    return {
        "run": f"{started.replace('-', '').replace(':', '')}-{secrets.token_hex(3)}",
        "seed": secrets.randbelow(2**32) if seed is None else seed,
        "started_utc": started, "request": asdict(request), "profile": profile,
        "server": server, "clients": clients, "ports": fitness.ports(request),
    }  # fmt: skip
