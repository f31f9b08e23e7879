"""How a run stands, folded from its events one after the other: the trials that have begun, and what each host last
said. Nothing here reads, waits or prints; a figure that no event carries is nan."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.ingest.events import Event, is_calibration, is_count
from analysis.ingest.fields import count, listing, mapping, number, text
from analysis.ingest.plan import OWN_SERVER, traits
from analysis.watch.window import NAN, Sum, Window, interval, together
from contracts.declared import LOAD, OUTCOMES, SERVER, Workload

NS = 1_000_000_000
UNFINISHED = "unfinished"
CUT_OFF = (UNFINISHED, "interrupted")
UNSAID = ("strategy", "server_command", "workers", "server_port")  # which differ where the strategy does
SAMPLED = ("t", "cpu_user_ns", "cpu_system_ns", "processes", "rss_bytes")
SPARE_S = 2
EDGE_TOLERANCE = 0.01  # as analysis/ingest/resources.py has it


@dataclass(frozen=True)
class Figures:
    """A row: connections, replies/s, nanoseconds, share of one core, requests; nan is not known."""

    connections: float = NAN
    requests_per_s: float = NAN
    p99_ns: float = NAN
    cpu_share: float = NAN
    errors: float = NAN


@dataclass
class Trial:
    """One trial that has begun, up to its newest event."""

    n: int
    server: Mapping[str, Any]
    load: Mapping[str, Any]
    is_control: bool
    is_calibration: bool
    window: Window
    clients: tuple[str, ...]
    go_ns: float = NAN
    """The moment of go, in the server's clock."""
    phase: str = "starting"
    result: Mapping[str, Any] | None = None
    connected: dict[str, float] = field(default_factory=dict)
    newest: dict[str, tuple[int, float]] = field(default_factory=dict)  # second, replies in it
    client_cpu: dict[str, float] = field(default_factory=dict)
    final: list[tuple[str, Figures]] = field(default_factory=list)
    proved: float = NAN  # connections of the clients, when last all were counted
    samples: list[tuple[float, float, float]] = field(default_factory=list)  # server: ns, CPU ns in user and system

    @property
    def label(self) -> str:
        strategy = "calibration" if self.is_calibration else text(self.server.get("strategy")) or OWN_SERVER
        return f"{strategy} (control)" if self.is_control else strategy

    @property
    def workload(self) -> Workload:
        return traits(self.load.get("workload"))

    @property
    def outcome(self) -> str:
        """Empty while the trial goes on."""
        if self.result is None:
            return ""
        outcome = text(self.result.get("outcome"))
        return outcome if outcome and outcome in OUTCOMES else UNFINISHED

    def take(self, event: Event, server: str | None) -> None:
        match event["event"]:
            case "armed" | "proved" if event["host"] in self.clients:
                self.connected[event["host"]] = _float(event.get("verified"))
                self.phase = "connecting" if event["event"] == "armed" else self.phase
            case "sample" if event["host"] == server:
                self._sampled(event, event["host"])
            case "proof":
                self.proved = _float(event.get("clients"))
            case "went":
                self.go_ns = _float(mapping(event.get("at_ns")).get(server or ""))
                self.phase = "load"
            case "interval" if event["host"] in self.clients:
                self._answered(event)
            case "done" if event["host"] in self.clients:
                own = mapping(event.get("self"))
                used = number(own.get("cpu_user_ns")) + number(own.get("cpu_system_ns"))
                self.client_cpu[event["host"]] = _over(used, number(own.get("wall_ns")))
                self.phase = "ending"
            case "trial" if event.get("state") == "ended":
                self.result = mapping(event.get("result"))

    def _sampled(self, event: Event, server: str) -> None:
        self.connected[server] = _float(event.get("open"))
        t, user, system, *others = [_float(event.get(name)) for name in SAMPLED]
        if not math.isnan(t + user + system + sum(others)):  # as ingest, which needs them all
            self.samples.append((t, user, system))

    def _answered(self, event: Event) -> None:
        one = interval(event)
        if one is None:
            return
        arrived = one.counts["arrived"]
        second = one.k, one.counts["answered"] if math.isnan(arrived) else arrived
        self.newest[one.host] = max(self.newest.get(one.host, second), second)
        if one.phase == "load":
            self.window.take(one)

    # Figures ---------------------------------------------------------------------------------------------------------

    def rows(self, hosts: Sequence[str], server: str | None) -> list[tuple[str, Figures]]:
        """Each host's, and last those of all, which has no name. Of a trial that has ended they are made once."""
        if self.final:
            return self.final
        sums = self.window.sums(is_cut=self.outcome in CUT_OFF)
        found = [(name, self.of_host(name, server, sums)) for name in hosts] + [("", self.of_all(sums))]
        if self.outcome:
            self.final, self.window, self.samples = found, Window(0, ()), []
        return found

    def of_host(self, name: str, server: str | None, sums: Mapping[str, Sum]) -> Figures:
        """What a host said: replies of its newest second, or once the trial has ended of each second of the window."""
        if name == server:
            return Figures(connections=self.connected.get(name, NAN), cpu_share=self._server_cpu(sums))
        own = sums.get(name)
        return Figures(
            self.connected.get(name, NAN) if self.workload.holds else NAN,
            self._rate(own) if self.outcome else self._newest(name),
            own.p99_ns if own else NAN, self.client_cpu.get(name, NAN), own.errors if own else NAN,
        )  # fmt: skip

    def of_all(self, sums: Mapping[str, Sum]) -> Figures:
        """All clients together, and the server's CPU: once the trial has ended, as the table `trials` has it."""
        total = together(sums.values()) if sums else None
        if self.outcome:
            held = _float(mapping(self.result).get("held"))
            held = (self.proved if math.isnan(held) else held) if self.workload.holds else NAN
            is_measured = total is not None and not math.isnan(self._span(total)[0])
            return Figures(
                held, self._rate(total), total.p99_ns if total else NAN, self._server_cpu(sums),
                total.errors if total and is_measured else NAN,
            )  # fmt: skip
        stand = [self.connected.get(name, NAN) for name in self.clients] if self.workload.holds else [NAN]
        rates = [rate for name in self.clients if not math.isnan(rate := self._newest(name))]
        return Figures(
            sum(stand), sum(rates) if rates else NAN, total.p99_ns if total else NAN, self._server_cpu(sums),
            total.errors if total else NAN,
        )  # fmt: skip

    def _newest(self, name: str) -> float:
        """Replies of a client's newest second, which is told when its last request is settled; nan where the others are
        further than that: the client is lost, and what it once said is not how it stands."""
        k, rate = self.newest.get(name, (0, NAN))
        timeout = number(self.load.get("timeout"))
        return NAN if max((other for other, _ in self.newest.values()), default=0) - k > timeout + SPARE_S else rate

    def _span(self, total: Sum | None) -> tuple[float, float]:
        """Start and end of the measured window in ns after go; nan where nothing was measured."""
        if total is None or not total.seconds or self.outcome == "dnf":
            return NAN, NAN
        if self.outcome in CUT_OFF:
            return float(min(total.seconds) * NS), float((max(total.seconds) + 1) * NS)
        told = mapping(mapping(self.result).get("window"))
        start, end = _float(told.get("start_ns")), _float(told.get("end_ns"))
        if math.isnan(start + end) and not self.load.get("requests"):
            start = _float(self.load.get("warmup")) * NS
            end = start + _float(self.load.get("duration")) * NS
        return (start, end) if end > start else (NAN, NAN)

    def _rate(self, total: Sum | None) -> float:
        """Replies of each second of the window: of a number of requests all, else those that arrived in it."""
        start, end = self._span(total)
        if total is None or math.isnan(start):
            return NAN
        arrived, answered = total.counts["arrived"], total.counts["answered"]
        by_request = bool(self.load.get("requests")) and self.outcome not in CUT_OFF
        return _over(answered if by_request or math.isnan(arrived) else arrived, (end - start) / NS)

    def _server_cpu(self, sums: Mapping[str, Sum]) -> float:
        """Of one core: between its last two samples; once the trial has ended in the window."""
        if not self.outcome:
            if len(self.samples) < 2:
                return NAN
            (before, *used), (now, *more) = self.samples[-2:]
            grown = sum(more) - sum(used)
            return _over(grown, now - before) if grown >= 0 else NAN
        start, end = self._span(together(sums.values()))
        if math.isnan(start) or math.isnan(self.go_ns):
            return NAN
        by_request = bool(self.load.get("requests")) and self.outcome not in CUT_OFF
        return _over(self._grown(start, math.inf if by_request else end), end - start)

    def _grown(self, start: float, end: float) -> float:
        """CPU time between two moments after go, interpolated at both edges; nan where no samples span them."""
        if not self.samples:
            return NAN
        t, *used = np.array(sorted(self.samples)).T
        t = t - self.go_ns
        end = float(t[-1]) if math.isinf(end) else end
        slack = (end - start) * EDGE_TOLERANCE
        if not end > start or start < t[0] - slack or end > t[-1] + slack:
            return NAN
        grown = [float(np.diff(np.interp([start, end], t, one))[0]) for one in used]
        return sum(grown) if min(grown) >= 0 else NAN


@dataclass
class Run:
    """`trials` are those that have begun, by number; `exit` is there once the conductor has ended."""

    plan: Mapping[str, Any] | None = None
    trials: dict[int, Trial] = field(default_factory=dict)
    exit: int | None = None
    factors: tuple[tuple[str, str], ...] = ()
    """What tells the trials apart beside the strategy: `server` or `load`, and the name of the parameter."""

    @property
    def planned(self) -> list[Mapping[str, Any]]:
        return [one for one in map(mapping, listing(mapping(self.plan).get("trials"))) if is_count(one.get("n"))]

    @property
    def hosts(self) -> list[str]:
        """The server first."""
        return sorted(self._named(), key=lambda name: name != self.server)

    @property
    def server(self) -> str | None:
        return next((name for name, host in self._named().items() if mapping(host).get("role") == "server"), None)

    @property
    def clients(self) -> tuple[str, ...]:
        return tuple(name for name, host in self._named().items() if mapping(host).get("role") == "client")

    @property
    def under_way(self) -> list[Trial]:
        return [trial for trial in self.trials.values() if not trial.outcome]

    def _named(self) -> Mapping[str, Any]:
        return mapping(mapping(self.plan).get("hosts"))

    def take(self, event: Event) -> None:
        n, name = event["trial"], event["event"]
        if name == "plan" and self.plan is None:
            self.plan = mapping(event.get("plan"))
            self.factors = tuple(varying([one for one in self.planned if not is_calibration(one)]))
        elif name == "resumed" and event["host"] == "controller":
            self.exit = None
            void = [n for n in listing(event.get("again")) if is_count(n)]
            self.trials = {n: trial for n, trial in self.trials.items() if n not in void}
        elif name == "run" and event.get("state") == "ended":
            self.exit = count(event.get("exit"))
        elif name == "trial" and event.get("state") == "started" and n is not None:
            self.trials[n] = self._begun(n, event)
        elif n in self.trials:
            self.trials[n].take(event, self.server)

    def end(self) -> None:
        """Nothing more will come: what has not ended will not."""
        for trial in self.under_way:
            trial.result = {}

    def _begun(self, n: int, event: Event) -> Trial:
        server, load, shares = (mapping(event.get(name)) for name in ("server", "load", "shares"))
        # A share of `open` load may be a rate of 0: such a client only holds.
        asked = [
            host for host, share in shares.items()
            if mapping(share).get("rate", mapping(share).get("rate_per_s", 1)) != 0
        ] if shares else self.clients  # fmt: skip
        return Trial(
            n, server, load, event.get("control") is True,
            any(one["n"] == n and is_calibration(one) for one in self.planned),
            Window(count(load.get("warmup")) or 0, asked), self.clients,
        )  # fmt: skip


def varying(planned: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The parameters that are not the same in all of these trials, nor in the rungs of a search."""
    searched = {text(mapping(one["search"]).get("over")) or "rate" for one in planned if "search" in one}
    for part, names in (("server", SERVER), ("load", LOAD)):
        for name in names:
            values = {json.dumps(mapping(one.get(part)).get(name), sort_keys=True) for one in planned}
            if (len(values) > 1 or name in searched) and name not in UNSAID:
                yield part, name


def _float(value: object) -> float:
    return float(value) if isinstance(value, int) and is_count(value) else NAN


def _over(value: float, by: float) -> float:
    return value / by if by > 0 else NAN
