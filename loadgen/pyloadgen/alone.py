"""A generator on its own, for whoever wants to see what it does: one trial against a server, and a report to read."""

from __future__ import annotations

import argparse
import ipaddress
import queue
import secrets
import sys
import time
from contextlib import suppress
from typing import Any

from contracts.declared import LOAD, PARAMETERS
from contracts.line import raise_descriptor_limit
from pyloadgen.crew import Crew, Said, processes_for
from pyloadgen.errors import Refusal
from pyloadgen.histogram import Histogram
from pyloadgen.spec import Spec, target_of, typed
from pyloadgen.trial import Event, Trial

LEAD_NS = 200_000_000  # between the order and the start
LATE_NS = 1_000_000
PATIENCE_S = 2.0
GOOD, REFUSED, WRONG, INTERRUPTED = 0, 2, 3, 130
LABELS = {"response": "from the intended time", "service": "from the actual send", "lag": "how late it was sent"}


def target(text: str) -> str:
    """An argparse type. A name could be anybody's machine, so that only `localhost` may be one."""
    host, _, port = text.rpartition(":")
    where = f"127.0.0.1:{port}" if host == "localhost" else text
    try:
        ipaddress.ip_address(where.rpartition(":")[0].strip("[]"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an address; give one such as 127.0.0.1:9000, so that no machine is loaded by mistake"
        ) from None
    try:
        target_of(where)
    except Refusal as refusal:
        raise argparse.ArgumentTypeError(refusal.event["message"].rstrip(".")) from None
    return where


def specification(options: argparse.Namespace) -> Spec:
    """The share of a trial that has one client."""
    load = {name: getattr(options, name, PARAMETERS[name].default) for name in (*LOAD, "seed")}
    if load["seed"] is None:
        load["seed"] = secrets.randbits(32)
    if load["active"] == "all":
        load["active"] = load["connections"]
    if load["connect_rate"] == "burst":
        load["connect_rate"] = None
    return typed(
        {
            **load, "warmup": 0, "run": "alone", "run_number": secrets.randbits(32), "trial": 1, "host": "alone",
            "dir": "/", "targets": [options.target], "sources": [], "first_connection": 0, "phase": 0, "cpus": None,
            "lifetime_s": 1e7, "processes": options.processes,
        }
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """The whole trial; the exit status."""
    try:
        spec = specification(options)
    except Refusal as refusal:
        return refuse(refusal)
    descriptors = raise_descriptor_limit()
    crew = Crew(spec, processes_for(spec, descriptors))
    try:
        return Session(spec, crew, descriptors).run()
    except Refusal as refusal:
        return refuse(refusal)
    finally:
        crew.end(PATIENCE_S)


def refuse(refusal: Refusal) -> int:
    print(f"pyloadgen: {refusal}", file=sys.stderr)
    return REFUSED


class Session:
    """The conductor's part, in short: arm, go, listen."""

    def __init__(self, spec: Spec, crew: Crew, descriptors: int) -> None:
        self._spec = spec
        self._crew = crew
        self._trial = Trial(spec, crew, descriptors)
        self._said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._response = Histogram()
        crew.listen(self._said)

    def run(self) -> int:
        interrupted = False
        try:
            self._trial.arm(None)
            armed = self._until("armed")
            tried = self._spec.connections if self._spec.does.holds else 1
            print(f"{armed['verified']} of {tried} connections answer", file=sys.stderr)
            if not armed["verified"]:
                failed = ", ".join(f"{count} × {what}" for what, count in armed["failed"].items())
                print(
                    f"pyloadgen: no connection to {self._spec.targets[0]} answers an echo: {failed}.", file=sys.stderr
                )
                return WRONG
            self._trial.go(time.monotonic_ns() + LEAD_NS)
            done = self._until("done")
        except KeyboardInterrupt:
            interrupted = True
            if self._trial.doing != "go":
                return INTERRUPTED
            self._crew.stop()
            done = self._until("done", stopped=True)
        print("\n".join(report(self._spec, done, {"response": self._response, **self._trial.kinds})))
        load = done["totals"]["load"]
        wrong = load["mismatched"] or done["surplus"] or not load["answered"]
        return INTERRUPTED if interrupted else WRONG if wrong else GOOD

    def _until(self, name: str, stopped: bool = False) -> Event:
        while True:
            events: list[Event] = []
            with suppress(queue.Empty):
                said = self._said.get(timeout=self._trial.due_s())
                if said.did == "ended":
                    raise Refusal(
                        "internal", "process", "A process of the generator ended.", "This is a defect: report it."
                    )
                events = self._trial.hear(said)
            for event in events + self._trial.look(stopped):
                if event["event"] == "error":
                    raise Refusal(event["phase"], event["cause"], event["message"], event["remedy"])
                if event["event"] == "interval":
                    self._response += self._trial.response
                    print(second(event, self._trial.response), file=sys.stderr)
                if event["event"] == name:
                    return event


def ms(ns: int) -> str:
    return f"{ns / 1e6:,.3f} ms"


def second(event: Event, response: Histogram) -> str:
    return (
        f"{event['k'] + 1:3} s: {event['answered']} of {event['planned']} answered, p99 {ms(response.quantile(0.99))}"
    )


def report(spec: Spec, done: Event, kinds: dict[str, Histogram]) -> list[str]:
    """What a person wants to know of a trial, with the words of docs/contracts.md."""
    load, own = done["totals"]["load"], done["self"]
    cpu_s = (own["cpu_user_ns"] + own["cpu_system_ns"]) / 1e9
    each = f", {cpu_s / load['answered'] * 1e6:.0f} µs for each answer" if load["answered"] else ""
    missing = {name: load[name] for name in ("timed_out", "censored", "dropped", "mismatched", "failed") if load[name]}
    lines = [
        f"{spec.generator}, {own['processes']} process{'es' if own['processes'] > 1 else ''}: {spec.workload} load on "
        f"{spec.targets[0]}",
        f"  planned {load['planned']}, sent {load['sent']}, answered {load['answered']}"
        + "".join(f", {name} {count}" for name, count in missing.items()),
    ]
    for kind, meaning in LABELS.items():
        some = kinds[kind]
        quantiles = ", ".join(f"p{q:g} {ms(some.quantile(q / 100))}" for q in (50, 99))
        lines.append(f"  {kind:<9} {quantiles}, max {ms(some.max)}  ({meaning})")
    lines.append(
        f"  CPU {cpu_s:.2f} s in {own['wall_ns'] / 1e9:.1f} s{each}; resident {own['max_rss_bytes'] / 2**20:.0f} MiB"
    )
    lines += [
        f"  {row['count']} × {row['phase']}/{row['cause']} ({row['blame']}): {row['first']}" for row in done["errors"]
    ]
    wrong: dict[str, Any] = {name: count for name, count in done["integrity"].items() if count}
    if wrong:
        lines.append("  wrong replies: " + ", ".join(f"{name} {count}" for name, count in wrong.items()))
    if kinds["lag"].quantile(0.99) > max(LATE_NS, kinds["service"].quantile(0.99)) and spec.does.paced:
        lines.append(
            "  The sends were later than the server is slow: this says more of the generator than of the server."
        )
    return lines
