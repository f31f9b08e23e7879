"""The plan, read once into values that cannot change; what is wrong with it is said in one sentence."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from conductor.errors import Refused

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-([0-9a-f]{6})")
# Those whose requests have times of their own, whatever the server does.
PACED = ("open", "ramp", "capacity")
WORKLOADS = (*PACED, "closed", "churn", "calibrate")
GO_GENERATORS = ("go", "goroutine")
GENERATORS = (*GO_GENERATORS, "pool", "threads", "asyncio")
HOSTILE_KINDS = ("slow_read", "byte_writer", "half_close", "reset", "storm", "mute")
STEP_HELD_S = 1
CALIBRATION_S = 1


@dataclass(frozen=True)
class Host:
    """One host; `ssh` is its alias in the ssh_config, `cpus` and `agent_cpus` are null where nothing is pinned."""

    name: str
    role: str
    connection: str
    ssh: str | None
    python: str
    load_address: str
    cpus: tuple[int, ...] | None
    agent_cpus: tuple[int, ...] | None
    sources: tuple[str, ...] = ()
    weight: Fraction = Fraction(1)


@dataclass(frozen=True)
class Server:
    """What the server host starts: a strategy, or the user's own command."""

    strategy: str | None
    command: str | None
    port: int
    ports: int
    backlog: int
    workers: int

    @property
    def label(self) -> str:
        return self.strategy or "own server"


@dataclass(frozen=True)
class Hostile:
    """Clients that behave badly beside the load, so many over all hosts."""

    kind: str
    connections: int


@dataclass(frozen=True)
class Load:
    """What all clients do together: `rate` in requests/s, `connect_rate` in connections/s, all times in seconds."""

    workload: str
    connections: int
    active: int
    rate: int
    requests: int | None
    arrival: str
    payload_bytes: int
    pipeline: int
    think_time: float
    steps: int
    hostile: Hostile | None
    connect_rate: int | None
    warmup: int
    duration: int
    timeout: float
    arm_timeout: float
    generator: str
    seed: int

    @property
    def is_paced(self) -> bool:
        return self.workload in PACED

    @property
    def holds(self) -> bool:
        """Whether connections are held that can be counted and proved."""
        return self.workload not in ("churn", "calibrate")

    @property
    def warmup_s(self) -> int:
        """With a number of requests there is no warm-up."""
        return 0 if self.requests or self.workload == "calibrate" else self.warmup

    @property
    def window_s(self) -> int:
        return CALIBRATION_S if self.workload == "calibrate" else self.duration

    @property
    def ramp_s(self) -> float:
        """Time that the paced connecting takes by itself."""
        return self.connections / self.connect_rate if self.connect_rate and self.workload != "churn" else 0.0

    @property
    def steps_held_s(self) -> int:
        return self.steps * STEP_HELD_S if self.workload == "ramp" else 0


@dataclass(frozen=True)
class Trial:
    n: int
    block: int
    cell: str
    kind: str
    control: bool
    server: Server
    load: Load

    @property
    def label(self) -> str:
        return self.kind if self.kind == "calibration" else self.server.label


@dataclass(frozen=True)
class Plan:
    """`document` is the plan as it was read, for the record."""

    run: str
    base: str
    ssh_config: str | None
    known_hosts: str | None
    conductor_cpus: tuple[int, ...] | None
    hosts: tuple[Host, ...]
    trials: tuple[Trial, ...]
    document: Mapping[str, Any]

    @property
    def server(self) -> Host:
        return next(host for host in self.hosts if host.role == "server")

    @property
    def clients(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == "client")

    def app(self, host: Host) -> str:
        return f"{self.base}/{host.name}/app"

    def trial_dir(self, host: Host, trial: Trial) -> str:
        return f"{self.base}/{host.name}/runs/{self.run}/{trial.n:03d}"


def load_plan(path: Path) -> Plan:
    """Read and check a plan; raises Refused with what is wrong."""
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise Refused(f"The plan {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"The plan {path} is not YAML: {' '.join(str(error).split())}.") from None
    try:
        return parse_plan(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise Refused(f"The plan {path} is not a plan of version 1: {what}.") from None


def parse_plan(document: Any) -> Plan:
    """The plan that a document describes; raises KeyError, TypeError or ValueError, naming what is wrong."""
    _need(isinstance(document, dict), "it is not a mapping")
    _need(document["version"] == 1, f"its version is {document['version']!r}")
    _need(RUN_ID.fullmatch(str(document["run"])), f"run {document['run']!r} is no run id")
    hosts = tuple(_host(str(name), fields) for name, fields in document["hosts"].items())
    _need(sum(host.role == "server" for host in hosts) == 1, "it must have exactly one host of role server")
    _need(any(host.role == "client" for host in hosts), "it has no host of role client")
    _need(isinstance(document["trials"], list) and document["trials"], "it has no trials")
    trials = tuple(_trial(fields) for fields in document["trials"])
    _need(len({trial.n for trial in trials}) == len(trials), "two of its trials have the same number")
    return Plan(
        document["run"], document["owner_base"].rstrip("/"), document["ssh_config"], document["known_hosts"],
        _cpus(document["conductor_cpus"]), hosts, trials, document,
    )  # fmt: skip


def _host(name: str, fields: dict[str, Any]) -> Host:
    where = f"host {name}"
    typed = {
        "name": name, "cpus": _cpus(fields["cpus"]), "agent_cpus": _cpus(fields["agent_cpus"]),
        "sources": tuple(fields.get("sources", ())), "weight": Fraction(fields.get("weight", 1)),
    }  # fmt: skip
    host: Host = _build(Host, where, **{**fields, **typed})
    _need(host.role in ("server", "client"), f"{where}: role {host.role!r}")
    _need(host.connection in ("ssh", "local"), f"{where}: connection {host.connection!r}")
    _need(host.connection == "local" or bool(host.ssh), f"{where}: ssh names no host")
    _need(host.role == "server" or bool(host.sources), f"{where}: it has no sources")
    _need(host.weight > 0, f"{where}: its weight is not positive")
    return host


def _trial(fields: dict[str, Any]) -> Trial:
    where = f"trial {fields['n']}"
    server: Server = _build(Server, where, **fields["server"])
    load = _load(where, fields["load"])
    _need((server.strategy is None) != (server.command is None), f"{where}: give a strategy or a command")
    _need(_at_least_1(server.ports) and server.port + server.ports <= 65_536, f"{where}: {server.ports} ports")
    _need(server.command is None or server.ports == 1, f"{where}: a command listens on one port")
    trial: Trial = _build(Trial, where, **{**fields, "server": server, "load": load})
    _need(trial.kind in ("measure", "calibration"), f"{where}: kind {trial.kind!r}")
    calibrates = load.workload == "calibrate"
    _need((trial.kind == "calibration") == calibrates, f"{where}: the workload calibrate is for the kind calibration")
    return trial


def _load(where: str, fields: dict[str, Any]) -> Load:
    hostile = fields.get("hostile")
    typed = {} if hostile is None else {"hostile": _build(Hostile, where, **hostile)}
    load: Load = _build(Load, where, **{**fields, **typed})
    _need(load.workload in WORKLOADS, f"{where}: workload {load.workload!r}")
    _need(load.generator in GENERATORS, f"{where}: generator {load.generator!r}")
    for name in ("connections", "active", "rate", "duration", "steps"):
        _need(_at_least_1(getattr(load, name)), f"{where}: {name} must be at least 1")
    _need(load.active <= load.connections, f"{where}: active is more than connections")
    _need(load.requests is None or load.workload == "churn", f"{where}: requests is for the workload churn")
    _need(load.think_time >= 0, f"{where}: think_time must not be negative")
    if load.hostile:
        _need(load.hostile.kind in HOSTILE_KINDS, f"{where}: hostile clients of the kind {load.hostile.kind!r}")
        _need(_at_least_1(load.hostile.connections), f"{where}: hostile connections must be at least 1")
    return load


def _at_least_1(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _build(kind: Any, where: str, /, **fields: Any) -> Any:
    """The dataclass of exactly these fields; a missing or unknown one is named."""
    known = {field.name: field for field in dataclasses.fields(kind)}
    needed = {name for name, field in known.items() if field.default is dataclasses.MISSING}
    for problem, names in (("unknown", fields.keys() - known.keys()), ("missing", needed - fields.keys())):
        _need(not names, f"{where}: {', '.join(sorted(names))} {problem}")
    return kind(**fields)


def _cpus(value: list[int] | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value)


def _need(holds: object, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
