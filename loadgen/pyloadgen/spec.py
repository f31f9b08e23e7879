"""What a generator is told at its start (docs/schema/loadgen-spec.yml), checked and typed."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Optional

from pyloadgen.errors import Refusal
from pyloadgen.pacing import LAWS
from pyloadgen.record import HEADER_BYTES, MAX_BYTES

GENERATORS = ("pool", "threads", "asyncio")
WORKLOADS = ("open", "closed", "churn", "ramp", "capacity", "calibrate")
MOST_SOURCES = 65_536
REMEDY = "Correct the specification; docs/contracts.md, Agents, describes it."

Address = tuple[int, tuple[Any, ...]]  # family, and what connect() or bind() takes


@dataclass(frozen=True)
class Spec:
    """One client's share of a trial; durations in s, the fields as docs/contracts.md has them."""

    version: int
    run: str
    run_number: int
    trial: int
    host: str
    dir: Path
    targets: list[str]
    sources: list[str]
    workload: str
    connections: int
    first_connection: int
    active: int
    rate_per_s: float
    phase: float
    requests: Optional[int]
    arrival: str
    pipeline: int
    payload_bytes: int
    connect_rate_per_s: Optional[float]
    warmup_s: int
    duration_s: int
    timeout_s: float
    arm_timeout_s: float
    seed: int
    cpus: Optional[list[int]]
    lifetime_s: float
    generator: str
    think_time_s: float = 0
    hostile: Optional[dict[str, Any]] = None
    processes: Optional[int] = None

    @property
    def timeout_ns(self) -> int:
        return int(self.timeout_s * 1e9)

    @property
    def quota(self) -> Optional[int]:
        """How many requests end the workload churn."""
        return self.requests if self.workload == "churn" else None

    @property
    def warmup_intervals(self) -> int:
        return 0 if self.quota is not None else self.warmup_s

    @property
    def intervals(self) -> Optional[int]:
        """Seconds of load; None: until the quota is used up."""
        return None if self.quota is not None else self.warmup_s + self.duration_s

    def connect_due_ns(self, index: int) -> int:
        """When connection `index` of a paced ramp may begin, after the start."""
        return int(index / self.connect_rate_per_s * 1e9) if self.connect_rate_per_s else 0


def refuse(cause: str, message: str) -> Refusal:
    return Refusal("spec", cause, message, REMEDY)


def between(low: float, high: float, whole: bool = True) -> Callable[[Any], bool]:
    kinds = (int,) if whole else (int, float)
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high


def absent_or(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or rule(value)


def texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def processors(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(between(0, 1 << 20), value))


def directory(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute() and len(Path(value).parts) > 4


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "version": (between(1, 1), "1"),
    "run": (text, "a run id"),
    "run_number": (between(0, (1 << 32) - 1), "0 to 2^32-1"),
    "trial": (between(1, 1 << 31), "1 or more"),
    "host": (text, "a name"),
    "dir": (directory, "an absolute path <base>/<host>/runs/<run>/<trial>"),
    "targets": (texts, "at least one address:port"),
    "sources": (lambda value: value == [] or texts(value), "a list of addresses or networks"),
    "workload": (WORKLOADS.__contains__, "one of " + ", ".join(WORKLOADS)),
    "connections": (between(0, 10**7), "0 to 10,000,000"),
    "first_connection": (between(0, (1 << 32) - 1), "0 to 2^32-1"),
    "active": (between(0, 10**7), "0 to connections"),
    "rate_per_s": (between(0, 1e8, whole=False), "0 to 100,000,000"),
    "phase": (lambda value: between(0, 1, whole=False)(value) and value < 1, "0 or more and below 1"),
    "requests": (absent_or(between(0, 10**12)), "null, or 0 or more"),
    "arrival": (LAWS.__contains__, "one of " + ", ".join(LAWS)),
    "pipeline": (between(1, 64), "1 to 64"),
    "payload_bytes": (between(HEADER_BYTES, MAX_BYTES), "32 to 1,048,576"),
    "connect_rate_per_s": (absent_or(between(0.001, 1e9, whole=False)), "null, or more than 0"),
    "warmup_s": (between(0, 3600), "0 to 3600"),
    "duration_s": (between(1, 86_400), "1 to 86,400"),
    "timeout_s": (between(0.001, 60, whole=False), "more than 0, at most 60"),
    "arm_timeout_s": (between(0.001, 3600, whole=False), "more than 0, at most 3600"),
    "seed": (between(0, (1 << 32) - 1), "0 to 2^32-1"),
    "cpus": (absent_or(processors), "null or a list of processors"),
    "lifetime_s": (between(0.001, 1e8, whole=False), "more than 0"),
    "generator": (GENERATORS.__contains__, "one of " + ", ".join(GENERATORS)),
    "think_time_s": (between(0, 3600, whole=False), "0 to 3600"),
    "hostile": (absent_or(lambda value: isinstance(value, dict)), "null"),
    "processes": (absent_or(between(1, 64)), "null, or 1 to 64"),
}


def parse(given_text: str) -> Spec:
    """Read a specification; fields of later versions are ignored."""
    try:
        given = json.loads(given_text)
    except ValueError as error:
        raise refuse("json", f"The specification is not a JSON object: {error}.") from None
    if not isinstance(given, dict):
        raise refuse("json", "The specification is not a JSON object.")
    optional = {"think_time_s": 0, "hostile": None, "processes": None}
    values: dict[str, Any] = {field.name: given.get(field.name, optional.get(field.name)) for field in fields(Spec)}
    for name, (rule, want) in RULES.items():
        try:
            right = rule(values[name])
        except TypeError:  # a list where a name should be
            right = False
        if not right:
            raise refuse(name, f"{name} must be {want}, not {json.dumps(values[name])[:60]}.")
    return check(Spec(**{**values, "dir": Path(values["dir"])}))


def check(spec: Spec) -> Spec:
    """Refuse what these generators cannot do."""
    if spec.active > spec.connections:
        raise refuse("active", f"active must be 0 to connections ({spec.connections}), not {spec.active}.")
    if spec.quota and not spec.connections:
        raise refuse("connections", "connections must be 1 or more where there are requests.")
    if spec.hostile is not None:
        raise refuse("hostile", f"The generator {spec.generator} has no hostile clients; the Go generators have.")
    if spec.pipeline > 1 and spec.generator != "asyncio":
        raise refuse("pipeline", f"The generator {spec.generator} waits for each reply, so pipeline must be 1.")
    if spec.workload == "churn" and spec.generator == "pool":
        raise refuse(
            "workload",
            "A process of the generator pool has one request in flight, so it cannot keep up a churn's number.",
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
