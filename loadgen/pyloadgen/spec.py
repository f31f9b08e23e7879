"""What a generator is told at its start (docs/schema/loadgen-spec.yml): its shape is checked here, and its names."""

from __future__ import annotations

import ipaddress
import json
import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
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

    @property
    def does(self) -> Workload:
        return WORKLOADS[self.workload]

    @property
    def busy(self) -> int:
        """How many connections carry requests."""
        return self.active if self.does.holds else self.connections

    @property
    def timeout_ns(self) -> int:
        return int(self.timeout * 1e9)

    @property
    def intervals(self) -> Optional[int]:
        """Seconds of load; None: until all `requests` are done."""
        return None if self.requests is not None else self.warmup + self.duration

    def connect_due_ns(self, index: int) -> int:
        """When connection `index` of a paced ramp may begin, after the start; a share of the rate may be 0."""
        return 0 if self.connect_rate is None else int(index / (self.connect_rate or 1) * 1e9)


def refuse(cause: str, message: str) -> Refusal:
    return Refusal("spec", cause, message, REMEDY)


def number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def list_of(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(rule, value))


def directory(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute() and len(Path(value).parts) > 4


# What a field's type asks of its JSON.
SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (text, "a text"),
    "int": (whole, "a whole number, 0 or more"),
    "float": (number, "a number, 0 or more"),
    "Path": (directory, "an absolute path <base>/<host>/runs/<run>/<trial>"),
    "list[str]": (list_of(text), "a list of texts"),
    "list[int]": (list_of(whole), "a list of whole numbers"),
    "dict[str, Any]": (lambda value: isinstance(value, dict), "a mapping"),
}


def shape(name: str, kind: str, value: Any) -> None:
    """Refuse a value that is not of the field's type."""
    plain = kind[len("Optional[") : -1] if kind.startswith("Optional[") else kind
    fits, want = SHAPES[plain]
    if not (fits(value) or (value is None and plain != kind)):
        raise refuse(name, f"{name} must be {want}{', or null' * (plain != kind)}, not {json.dumps(value)[:60]}.")


def parse(given_text: str) -> Spec:
    """Read a specification; fields of later versions are ignored."""
    try:
        given = json.loads(given_text)
    except (ValueError, RecursionError) as error:
        raise refuse("json", f"The specification is not a JSON object: {error}.") from None
    if not isinstance(given, dict) or not isinstance(given.get("load", {}), dict):
        raise refuse("json", "The specification is not a JSON object that holds another one, load.")
    if given.get("version") != VERSION:
        raise refuse("version", f"version must be {VERSION}, not {json.dumps(given.get('version'))[:60]}.")
    flat = {**given.get("load", {}), **{name: value for name, value in given.items() if name != "load"}}
    for field in fields(Spec):
        shape(field.name, str(field.type), flat.get(field.name))
    return typed(flat)


def typed(flat: Mapping[str, Any]) -> Spec:
    """A specification whose shapes are right; its parameters stand among the other fields."""
    values: dict[str, Any] = {field.name: flat[field.name] for field in fields(Spec)}
    values["dir"] = Path(flat["dir"])
    return check(Spec(**values))


def check(spec: Spec) -> Spec:
    """Refuse names that nobody knows, and what these generators cannot do."""
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
        if getattr(spec, name) != PARAMETERS[name].default:
            raise refuse(
                name, f"The generator {spec.generator} has no {name} but {PARAMETERS[name].default or 'none'}."
            )
    targets_of(spec)
    sources_of(spec)
    return spec


def targets_of(spec: Spec) -> list[Address]:
    return [target_of(target) for target in spec.targets]


def target_of(target: str) -> Address:
    host, _, port = target.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        number = int(port)
        if not (port.isascii() and port.isdigit() and 0 < number < 65_536):
            raise ValueError
    except ValueError:
        raise refuse(
            "targets", f"{target!r} in targets is not an address and a port, such as 198.18.0.10:9000."
        ) from None
    return family_of(address), (str(address), number)


def family_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


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
        hosts = network.hosts() if "/" in source else [ipaddress.ip_address(source)]
        found += [(family_of(address), (str(address), 0)) for address in hosts]
    return found
