"""What a generator is told at its start (docs/schema/loadgen-spec.yml): its shape is checked here, and its names."""

from __future__ import annotations

import ipaddress
import json
import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Optional

from contracts.declared import GENERATORS, PARAMETERS, WORKLOADS, Workload
from contracts.line import whole
from pyloadgen.errors import Refusal

VERSION = 2
MOST_SOURCES = 65_536
NAMES = {
    "generator": [name for name, generator in GENERATORS.items() if generator.program == "pyloadgen"],
    "workload": list(WORKLOADS),
    "arrival": PARAMETERS["arrival"].words,
}
REMEDY = "Correct the specification; docs/contracts.md, Agents, describes it."

Address = tuple[int, tuple[Any, ...]]  # family, and what connect() or bind() takes


@dataclass(frozen=True)
class Spec:
    """One client's share of a trial, times in s: what belongs to the host, then the parameters of the load."""

    run: str
    trial: int
    host: str
    dir: Path
    cpus: Optional[list[int]]
    lifetime_s: float
    run_number: int
    targets: list[str]
    sources: list[str]
    first_connection: int
    phase: float
    processes: Optional[int]
    # The mapping `load`
    workload: str
    generator: str
    connections: int
    active: int
    rate: float
    requests: Optional[int]
    arrival: str
    pipeline: int
    think_time: float
    payload_bytes: int
    connect_rate: Optional[float]
    warmup: int
    duration: int
    timeout: float
    arm_timeout: float
    hostile: Optional[dict[str, Any]]
    seed: int

    @cached_property
    def does(self) -> Workload:
        return WORKLOADS[self.workload]

    @cached_property
    def busy(self) -> int:
        """How many connections carry requests."""
        return self.active if self.does.holds else self.connections

    @cached_property
    def timeout_ns(self) -> int:
        return int(self.timeout * 1e9)

    @cached_property
    def intervals(self) -> Optional[int]:
        """Seconds of load; None: of a churn until all `requests` are done."""
        return self.warmup + self.duration if self.requests is None or self.does.holds else None

    def connect_due_ns(self, index: int) -> int:
        """When connection `index` of a paced ramp may begin, after the start; a share of the rate may be 0."""
        return 0 if self.connect_rate is None else int(index / (self.connect_rate or 1) * 1e9)


def refuse(cause: str, message: str) -> Refusal:
    return Refusal("spec", cause, message, REMEDY)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


# What a field's type asks of its JSON.
SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (is_text, "a text"),
    "int": (whole, "a whole number, 0 or more"),
    "float": (lambda value: type(value) in (int, float) and 0 <= value < math.inf, "a number, 0 or more"),
    "Path": (
        lambda value: is_text(value) and Path(value).is_absolute() and len(Path(value).parts) > 4,
        "an absolute path <base>/<host>/runs/<run>/<trial>",
    ),
    "list[str]": (lambda value: isinstance(value, list) and all(map(is_text, value)), "a list of texts"),
    "list[int]": (lambda value: isinstance(value, list) and all(map(whole, value)), "a list of whole numbers"),
    "dict[str, Any]": (lambda value: isinstance(value, dict), "a mapping"),
}


def parse(text: str) -> Spec:
    """Read a specification; fields of later versions are ignored."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refuse("json", f"The specification is not a JSON object: {error}.") from None
    if not isinstance(given, dict) or not isinstance(given.get("load", {}), dict):
        raise refuse("json", "The specification is not a JSON object that holds another one, load.")
    if given.get("version") != VERSION:
        raise refuse("version", f"version must be {VERSION}, not {json.dumps(given.get('version'))[:60]}.")
    flat = {**given.get("load", {}), **{name: value for name, value in given.items() if name != "load"}}
    for field in fields(Spec):
        name, kind, value = field.name, str(field.type), flat.get(field.name)
        optional = kind.startswith("Optional[")
        fits, want = SHAPES[kind[len("Optional[") : -1] if optional else kind]
        if not (fits(value) or (optional and value is None)):
            raise refuse(name, f"{name} must be {want}{', or null' * optional}, not {json.dumps(value)[:60]}.")
    return typed(flat)


def typed(flat: Mapping[str, Any]) -> Spec:
    """A specification whose shapes are right: refuse names that nobody knows, and what these generators cannot do."""
    spec = Spec(**{**{field.name: flat[field.name] for field in fields(Spec)}, "dir": Path(flat["dir"])})
    for name, known in NAMES.items():
        if getattr(spec, name) not in known:
            raise refuse(name, f"{name} must be one of {', '.join(known)}, not {getattr(spec, name)!r}.")
    for name, right, want in (
        ("active", spec.active <= spec.connections, f"0 to connections ({spec.connections})"),
        ("phase", spec.phase < 1, "0 or more and below 1"),
        ("connections", spec.connections or not spec.requests, "1 or more where there are requests"),
        ("targets", spec.targets, "at least one address:port"),
        ("cpus", spec.cpus != [], "null or a list of processors"),
    ):
        if not right:
            raise refuse(name, f"{name} must be {want}, not {getattr(spec, name)}.")
    mine = GENERATORS[spec.generator]
    if spec.workload in mine.lacks_workloads:
        raise refuse("workload", f"The generator {spec.generator} has no workload {spec.workload}.")
    for name in mine.lacks:
        only = PARAMETERS[name].default
        if getattr(spec, name) != only:
            raise refuse(name, f"The generator {spec.generator} has no {name} but {only or 'none'}.")
    for target in spec.targets:
        target_of(target)
    sources_of(spec)
    return spec


def target_of(target: str) -> Address:
    host, _, port = target.rpartition(":")
    try:
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError
        return address_of(host.strip("[]"), int(port))
    except ValueError:
        message = f"{target!r} in targets is not an address and a port, such as 198.18.0.10:9000."
        raise refuse("targets", message) from None


def address_of(host: str, port: int) -> Address:
    address = ipaddress.ip_address(host)
    return socket.AF_INET if address.version == 4 else socket.AF_INET6, (str(address), port)


def sources_of(spec: Spec) -> list[Address]:
    """Every source address, networks resolved into their hosts."""
    found: list[Address] = []
    for source in spec.sources:
        try:
            network = ipaddress.ip_network(source, strict=False)
        except ValueError:
            raise refuse("sources", f"{source!r} in sources is neither an address nor a network.") from None
        if network.num_addresses > MOST_SOURCES:
            raise refuse("sources", f"{source} has {network.num_addresses} addresses, and {MOST_SOURCES} can be used.")
        found += [address_of(str(host), 0) for host in (network.hosts() if "/" in source else [source])]
    return found
