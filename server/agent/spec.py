"""What the conductor gives the agent at its start (docs/schema/server-spec.yml), checked for shape and type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


class SpecError(ValueError):
    """The specification is not one; the message is one sentence."""


@dataclass(frozen=True)
class Spec:
    """One trial's server."""

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
    interpreter: str | None  # in which a strategy runs; None: in the agent's own
    # Those of `server`, which has the plan's parameters of the server, that the agent reads itself
    strategy: str | None
    server_command: str | None
    server_port: int
    server_ports: int
    backlog: int
    listen_timeout: float
    workers: int
    disturb: str | None

    @property
    def where(self) -> list[str]:
        """The address with each of its ports, as the protocol writes them."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return [f"{host}:{port}" for port in range(self.server_port, self.server_port + self.server_ports)]


# What JSON has for a field's type.
KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "Path": (str,), "int": (int,), "float": (int, float), "Mapping[str, Any]": (dict,),
    "str | None": (str, type(None)), "list[int] | None": (list, type(None)),
}  # fmt: skip


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
    server = given.get("server")
    flat = {**(server if isinstance(server, dict) else {}), **given}
    for field in fields(Spec):
        check(flat, field.name, KINDS[str(field.type)])
    spec = Spec(**{**{field.name: flat[field.name] for field in fields(Spec)}, "dir": Path(flat["dir"])})
    if (spec.strategy is None) == (spec.server_command is None):
        raise SpecError("The specification must name either a strategy or a server_command.")
    if not spec.dir.is_absolute() or len(spec.dir.parts) < 5:
        raise SpecError("The specification's dir must be an absolute path <base>/<host>/runs/<run>/<trial>.")
    return spec


def check(given: Mapping[str, Any], name: str, kinds: tuple[type, ...]) -> None:
    """The field is there, and of its type."""
    if name not in given:
        raise SpecError(f"The specification lacks {name!r}.")
    value = given[name]
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise SpecError(f"The specification has {name} = {value!r}, which is not of its type.")
    if isinstance(value, list) and not (value and all(type(cpu) is int and cpu >= 0 for cpu in value)):
        raise SpecError(f"The specification has {name} = {value!r}, which is not a list of CPUs.")
