"""The plan, read once into values that cannot change. One sentence names what is wrong with it."""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from conductor.errors import RunRefused
from contracts.declared import GENERATORS, HOSTILE, PARAMETERS, WORKLOADS, Generator, Workload
from contracts.older import newest

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-([0-9a-f]{6})")
STEP_HELD_S = 1


@dataclass(frozen=True)
class Host:
    """One host; `ssh` is what OpenSSH calls it and `ssh_args` its options, `cpus` and `agent_cpus` are null where
    nothing is pinned."""

    name: str
    role: str
    connection: str
    ssh: str | None
    python: str
    load_address: str
    base: str
    cpus: list[int] | None
    agent_cpus: list[int] | None
    ssh_args: Sequence[str] = ()
    sources: Sequence[str] = ()
    weight: Fraction = Fraction(1)
    account: str | None = None
    """Whose the agent is, and all below `base`; null: of the user that SSH logs in with."""
    interpreters: Mapping[str, str] | None = None
    """The paths of those that the trials name as `python` of the server."""


@dataclass(frozen=True)
class Server:
    """The parameters of the server that the conductor looks at; `given` is all of them, for the agent."""

    strategy: str | None
    server_command: str | None
    listen_timeout: int | float
    server_port: int
    server_ports: int
    given: Mapping[str, Any]
    disturb: str | None = None

    @property
    def label(self) -> str:
        return self.strategy or "own server"

    @property
    def ports(self) -> range:
        return range(self.server_port, self.server_port + self.server_ports)


@dataclass(frozen=True)
class Load:
    """The parameters of the load that the conductor looks at, over all clients; `given` is all of them, for the agents.

    `rate` in requests/s, `connect_rate` in connections/s, all times in seconds.
    """

    workload: str
    generator: str
    connections: int
    active: int
    rate: int
    requests: int | None
    steps: int
    hostile: Mapping[str, Any] | None
    connect_rate: int | None
    warmup: int
    duration: int
    timeout: int | float
    arm_timeout: int | float
    given: Mapping[str, Any]

    @property
    def traits(self) -> Workload:
        return WORKLOADS[self.workload]

    @property
    def program(self) -> Generator:
        return GENERATORS[self.generator]

    @property
    def climbs(self) -> bool:
        """Connections are opened in steps, and all are proved at each."""
        return self.workload in PARAMETERS["steps"].workloads

    @property
    def ramp_s(self) -> float:
        """Time that the paced connecting takes by itself."""
        return self.connections / self.connect_rate if self.connect_rate and self.traits.connects_ahead else 0.0

    @property
    def steps_held_s(self) -> int:
        return self.steps * STEP_HELD_S if self.climbs else 0


@dataclass(frozen=True)
class PassRule:
    """A rung is met where this percentile of the response time is at most so long, and this share was answered."""

    percentile: int | float
    at_most_ns: int
    answered_share: int | float


@dataclass(frozen=True)
class Search:
    """For the highest value of the parameter `over` that will do: of rate in requests/s, or of connections.
    `most_rungs` numbers of trials, from that of its entry on, are the search's."""

    begins_with: int
    to: int
    resolution: int | float
    budget_s: int | float
    most_rungs: int
    pass_rule: PassRule
    over: str = "rate"


@dataclass(frozen=True)
class Trial:
    """One trial; with a `search` an entry whose rungs are the trials."""

    n: int
    block: int
    cell: str
    kind: str
    control: bool
    server: Server
    load: Load
    search: Search | None = None
    null: int | None = None
    """Of a cell that repeats the baseline as a rival of its own: which repetition. Passed on unread."""
    profile: str | None = None
    """What the kernels are tuned to, for the record: who tunes them is not the conductor. Passed on unread."""
    beside: int | None = None
    """The trial next to it in the plan that runs at the same time."""

    @property
    def numbers(self) -> range:
        """Those that no other entry of the plan may have."""
        return range(self.n, self.n + (self.search.most_rungs if self.search else 1))

    @property
    def label(self) -> str:
        return self.kind if self.kind == "calibration" else self.server.label


@dataclass(frozen=True)
class Plan:
    """`document` is the whole plan, in version 3, for the record."""

    run: str
    conductor_cpus: list[int] | None
    hosts: tuple[Host, ...]
    trials: tuple[Trial, ...]
    document: Mapping[str, Any]

    @property
    def server(self) -> Host:
        return next(host for host in self.hosts if host.role == "server")

    @property
    def clients(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.role == "client")

    @property
    def turns(self) -> list[tuple[Trial, ...]]:
        """What comes after each other: single trials, and pairs that run side by side."""
        found: list[tuple[Trial, ...]] = []
        for trial in self.trials:
            if found and found[-1][-1].beside == trial.n:
                found[-1] += (trial,)
            else:
                found.append((trial,))
        return found

    def app(self, host: Host) -> str:
        return f"{host.base}/{host.name}/app"

    def trial_dir(self, host: Host, n: int) -> str:
        return f"{host.base}/{host.name}/runs/{self.run}/{n:03d}"


def load_plan(path: Path) -> Plan:
    """Read and check a plan; raises RunRefused with what is wrong."""
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise RunRefused(f"The plan {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunRefused(f"The plan {path} is not YAML: {' '.join(str(error).split())}.") from None
    try:
        return parse_plan(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise RunRefused(f"The plan {path} is not a plan of version 1 to 3: {what}.") from None


def parse_plan(document: Any) -> Plan:
    """The plan that a document describes; raises KeyError, TypeError or ValueError, naming what is wrong."""
    _need(isinstance(document, dict), "it is not a mapping")
    _need(document["version"] in (1, 2, 3), f"its version is {document['version']!r}")
    document = newest(document)
    _need(RUN_ID.fullmatch(str(document["run"])), f"run {document['run']!r} is no run id")
    hosts = tuple(_host(str(name), fields) for name, fields in document["hosts"].items())
    _need(sum(host.role == "server" for host in hosts) == 1, "it must have exactly one host of role server")
    _need(any(host.role == "client" for host in hosts), "it has no host of role client")
    cpus = document["conductor_cpus"]
    _need(isinstance(cpus, list | None), f"conductor_cpus {cpus!r}")
    _need(isinstance(document["trials"], list) and document["trials"], "it has no trials")
    trials = tuple(_trial(fields) for fields in document["trials"])
    numbers = [n for trial in trials for n in trial.numbers]
    _need(len(set(numbers)) == len(numbers), "two of its trials have the same number")
    _check_pairs(trials)
    return Plan(document["run"], cpus, hosts, trials, document)


def _host(name: str, fields: dict[str, Any]) -> Host:
    where = f"host {name}"
    host: Host = _build(Host, where, {**fields, "name": name, "weight": Fraction(fields.get("weight", 1))})
    _need(host.role in ("server", "client"), f"{where}: role {host.role!r}")
    _need(host.connection in ("ssh", "local"), f"{where}: connection {host.connection!r}")
    _need(host.connection == "local" or bool(host.ssh), f"{where}: ssh names no host")
    _need(host.role == "server" or bool(host.sources), f"{where}: it has no sources")
    _need(host.weight > 0, f"{where}: its weight is not positive")
    return host


def _trial(fields: dict[str, Any]) -> Trial:
    where = f"trial {fields['n']}"
    server: Server = _build(Server, where, fields["server"])
    load: Load = _build(Load, where, fields["load"])
    _need((server.strategy is None) != (server.server_command is None), f"{where}: give a strategy or a command")
    _need(server.ports and server.ports[-1] <= 65_535, f"{where}: {server.server_ports} ports")
    _need(server.server_command is None or server.server_ports == 1, f"{where}: a command listens on one port")
    _check_load(where, load)
    search = {"search": _search(where, fields["search"])} if "search" in fields else {}
    trial: Trial = _build(Trial, where, {**fields, "server": server, "load": load, **search})
    _need(trial.kind in ("measure", "calibration"), f"{where}: kind {trial.kind!r}")
    _need(
        (trial.kind == "calibration") != load.traits.asked,
        f"{where}: the workload {load.workload} is not for the kind {trial.kind}",
    )
    return trial


def _check_pairs(trials: Sequence[Trial]) -> None:
    """Two that run side by side are neighbours, name each other and listen on other ports."""
    for before, trial, after in zip((None, *trials), trials, (*trials[1:], None), strict=False):
        if trial.beside is None:
            continue
        where, others = f"trial {trial.n}", [one for one in (before, after) if one and one.n == trial.beside]
        _need(others and others[0].beside == trial.n, f"{where}: trial {trial.beside} is not the one beside it")
        _need(not trial.search, f"{where}: a search runs alone")
        _need(not set(trial.server.ports) & set(others[0].server.ports), f"{where}: its ports are those of the other")


def _search(where: str, fields: dict[str, Any]) -> Search:
    rule: PassRule = _build(PassRule, where, fields["pass_rule"])
    given = {name: value for name, value in fields.items() if name != "from"}  # a word of Python
    search: Search = _build(Search, where, {**given, "begins_with": fields["from"], "pass_rule": rule})
    _need(1 <= search.begins_with <= search.to, f"{where}: a search from {search.begins_with} to {search.to}")
    _need(search.over in ("rate", "connections"), f"{where}: a search over {search.over}")
    _need(search.resolution > 1 and search.most_rungs >= 1, f"{where}: a search without an end, or without a rung")
    return search


def _check_load(where: str, load: Load) -> None:
    """Known names, and what the conductor counts with. Ranges are judged where a person types them."""
    _need(load.workload in WORKLOADS, f"{where}: workload {load.workload!r}")
    _need(load.generator in GENERATORS, f"{where}: generator {load.generator!r}")
    for name in ("connections", "active", "steps", "duration"):
        _need(getattr(load, name) >= 1, f"{where}: {name} must be at least 1")
    _need(load.active <= load.connections, f"{where}: active is more than connections")
    _need(
        load.requests is None or load.workload in PARAMETERS["requests"].workloads,
        f"{where}: the workload {load.workload} has no requests",
    )
    if load.hostile is not None:
        kind, connections = load.hostile["kind"], load.hostile["connections"]
        _need(kind in HOSTILE, f"{where}: hostile clients of the kind {kind!r}")
        _need(isinstance(connections, int) and connections >= 1, f"{where}: {connections!r} hostile connections")


def _build(kind: Any, where: str, fields: Mapping[str, Any]) -> Any:
    """The dataclass of these fields, each of its type. A class with `given` keeps them all there."""
    hints = typing.get_type_hints(kind)
    if "given" in hints:
        fields = {name: value for name, value in fields.items() if name in hints} | {"given": fields}
    needed = {field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING}
    for problem, names in (("unknown", fields.keys() - hints.keys()), ("missing", needed - fields.keys())):
        _need(not names, f"{where}: {', '.join(sorted(names))} {problem}")
    for name, value in fields.items():
        arms = typing.get_args(hints[name]) if isinstance(hints[name], types.UnionType) else (hints[name],)
        _need(isinstance(value, tuple(typing.get_origin(arm) or arm for arm in arms)), f"{where}: {name} {value!r}")
    return kind(**fields)


def _need(holds: object, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
