"""What the conductor gives the agent at its start (docs/schema/server-spec.yml), checked for shape and type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class SpecError(ValueError):
    """The specification is not one; the message is one sentence."""


@dataclass(frozen=True)
class Spec:
    """One trial's server. `server` has the plan's parameters of the server; the agent reads six of them itself."""

    run: str
    trial: int
    host: str
    dir: Path
    cpus: list[int] | None
    agent_cpus: list[int] | None
    lifetime_s: float
    address: str
    connections: int
    server: Mapping[str, Any]
    strategy: str | None
    command: str | None
    port: int
    ports: int
    backlog: int
    workers: int

    @property
    def where(self) -> list[str]:
        """The address with each of its ports, as the protocol writes them."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return [f"{host}:{port}" for port in range(self.port, self.port + self.ports)]


Types = Mapping[str, tuple[type, ...]]
SPEC: Types = {
    **dict.fromkeys(("run", "host", "dir", "address"), (str,)),
    **dict.fromkeys(("trial", "connections"), (int,)),
    **dict.fromkeys(("cpus", "agent_cpus"), (list, type(None))),
    "lifetime_s": (int, float),
    "server": (dict,),
}
SERVER: Types = {
    **dict.fromkeys(("strategy", "server_command"), (str, type(None))),
    **dict.fromkeys(("server_port", "server_ports", "backlog", "workers"), (int,)),
}


def parse(text: str) -> Spec:
    """Read a specification; unknown fields are ignored."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"The specification is not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise SpecError("The specification is not a JSON object.")
    if given.get("version") != 2:
        raise SpecError(f"The specification is of version {given.get('version')!r}; this agent knows version 2.")
    check(given, SPEC)
    check(given["server"], SERVER)
    values = {name: given[name] for name in SPEC}
    values.update((name.removeprefix("server_"), given["server"][name]) for name in SERVER)
    spec = Spec(**{**values, "dir": Path(given["dir"])})
    if (spec.strategy is None) == (spec.command is None):
        raise SpecError("The specification must name either a strategy or a server_command.")
    if not spec.dir.is_absolute() or len(spec.dir.parts) < 5:
        raise SpecError("The specification's dir must be an absolute path <base>/<host>/runs/<run>/<trial>.")
    return spec


def check(given: Mapping[str, Any], types: Types) -> None:
    """Every field is there, and of its type."""
    for name, kinds in types.items():
        if name not in given:
            raise SpecError(f"The specification lacks {name!r}.")
        value = given[name]
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise SpecError(f"The specification has {name} = {value!r}, which is not of its type.")
        if isinstance(value, list) and not (value and all(type(cpu) is int and cpu >= 0 for cpu in value)):
            raise SpecError(f"The specification has {name} = {value!r}, which is not a list of CPUs.")
