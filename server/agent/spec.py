"""What the agent is told at its start (docs/schema/server-spec.yml), checked and typed."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


class SpecError(ValueError):
    """The specification is not one; the message is one sentence."""


@dataclass(frozen=True)
class Spec:
    """One trial's server. `workers` counts processes, `lifetime_s` bounds the agent's life in seconds."""

    version: int
    run: str
    trial: int
    host: str
    dir: Path
    strategy: str | None
    command: str | None
    address: str
    port: int
    ports: int
    backlog: int
    workers: int
    connections: int
    cpus: list[int] | None
    agent_cpus: list[int] | None
    lifetime_s: float

    @property
    def server(self) -> dict[str, Any]:
        """What `serve` is given."""
        return {name: getattr(self, name) for name in ("strategy", "port", "ports", "backlog", "workers")}

    @property
    def where(self) -> list[str]:
        """The address with each of its ports, as the protocol writes them."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return [f"{host}:{port}" for port in range(self.port, self.port + self.ports)]


TYPES: dict[str, tuple[type, ...]] = {
    "dir": (str,),
    "lifetime_s": (int, float),
    **dict.fromkeys(("run", "host", "address"), (str,)),
    **dict.fromkeys(("strategy", "command"), (str, type(None))),
    **dict.fromkeys(("cpus", "agent_cpus"), (list, type(None))),
    **dict.fromkeys(("version", "trial", "port", "ports", "backlog", "workers", "connections"), (int,)),
}


def parse(text: str) -> Spec:
    """Read a specification; fields of later versions are ignored."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise SpecError(f"The specification is not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise SpecError("The specification is not a JSON object.")
    values: dict[str, Any] = {}
    for field in fields(Spec):
        if field.name not in given:
            raise SpecError(f"The specification lacks {field.name!r}.")
        value = given[field.name]
        if not isinstance(value, TYPES[field.name]) or isinstance(value, bool):
            raise SpecError(f"The specification has {field.name} = {value!r}, which is not of its type.")
        if isinstance(value, (int, float)) and value <= 0:
            raise SpecError(f"The specification has {field.name} = {value!r}; it must be above 0.")
        if isinstance(value, list) and not (value and all(type(cpu) is int and cpu >= 0 for cpu in value)):
            raise SpecError(f"The specification has {field.name} = {value!r}, which is not a list of CPUs.")
        values[field.name] = Path(str(value)) if field.name == "dir" else value
    if values["version"] != 1:
        raise SpecError(f"The specification is of version {values['version']}; this agent knows version 1.")
    if (values["strategy"] is None) == (values["command"] is None):
        raise SpecError("The specification must name either a strategy or a command.")
    if not values["dir"].is_absolute() or values["port"] + values["ports"] > 65_536:
        raise SpecError("The specification's dir must be absolute, and its ports at most 65535.")
    if values["command"] is not None and values["ports"] > 1:
        raise SpecError("The specification gives a command several ports; it can be told only one.")
    return Spec(**values)
