"""A generator on its own, for whoever wants to see what it does: one trial against a server, and a report to read."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from typing import Any

from contracts.declared import LOAD, PARAMETERS, SETTLED
from contracts.line import Event, raise_descriptor_limit
from pyloadgen.crew import Crew, processes_for
from pyloadgen.errors import Refusal
from pyloadgen.histogram import Histogram
from pyloadgen.session import REFUSED, Session
from pyloadgen.spec import Spec, target_of, typed

LEAD_NS = 200_000_000  # between the order and the start
LATE_NS = 1_000_000
GOOD, WRONG, INTERRUPTED = 0, 3, 130
LABELS = {"response": "from the intended time", "service": "from the actual send", "lag": "how late it was sent"}


def target(text: str) -> str:
    """An argparse type. A name could be anybody's machine, so that only `localhost` may be one."""
    host, _, port = text.rpartition(":")
    where = f"127.0.0.1:{port}" if host == "localhost" else text
    try:
        target_of(where)
    except Refusal:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an address and a port; give one such as 127.0.0.1:9000, "
            "so that no machine is loaded by mistake"
        ) from None
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
        complain(str(refusal))
        return REFUSED
    descriptors = raise_descriptor_limit()
    return Console(spec, Crew(spec, processes_for(spec, descriptors)), descriptors).run()


def complain(text: str) -> None:
    print(f"pyloadgen: {text}", file=sys.stderr)


class Console(Session):
    """The conductor's part, in short: arm, go, stop; and a person who reads."""

    status = GOOD

    def run(self) -> int:
        self._response = Histogram()
        self.todo.put({"order": "arm"})
        super().run()
        return INTERRUPTED if str(self.reason).startswith("SIG") else self.status

    def _stop(self, status: int) -> None:
        self.status = status
        self.todo.put({"order": "stop"})

    def log(self, _text: str) -> None:
        """Events are enough for a person."""

    def say(self, event: Event) -> None:
        name = event["event"]
        if name == "error":
            complain(f"{event['message']} {event['remedy']}")
            self._stop(REFUSED)
        elif name == "armed":
            tried = self.spec.connections if self.spec.does.holds else 1
            print(f"{event['verified']} of {tried} connections answer", file=sys.stderr)
            if event["verified"]:
                self.todo.put({"order": "go", "at": time.monotonic_ns() + LEAD_NS})
            else:
                failed = ", ".join(f"{count} × {what}" for what, count in event["failed"].items())
                complain(f"no connection to {self.spec.targets[0]} answers an echo: {failed}.")
                self._stop(WRONG)
        elif name == "interval":
            self._response += self.trial.response
            p99 = ms(self.trial.response.quantile(0.99))
            print(
                f"{event['k'] + 1:3} s: {event['answered']} of {event['planned']} answered, p99 {p99}", file=sys.stderr
            )
        elif name == "done":
            print("\n".join(report(self.spec, event, {"response": self._response, **self.trial.kinds})))
            load = event["totals"]["load"]
            self._stop(WRONG if load["mismatched"] or event["surplus"] or not load["answered"] else GOOD)


def ms(ns: int) -> str:
    return f"{ns / 1e6:,.3f} ms"


def report(spec: Spec, done: Event, kinds: dict[str, Histogram]) -> list[str]:
    """What a person wants to know of a trial, with the words of docs/contracts.md."""
    load, own = done["totals"]["load"], done["self"]
    cpu_s = (own["cpu_user_ns"] + own["cpu_system_ns"]) / 1e9
    each = f", {cpu_s / load['answered'] * 1e6:.0f} µs for each answer" if load["answered"] else ""
    counts = [f"{name} {load[name]}" for name in ("planned", "sent", "answered")]
    counts += [f"{name} {load[name]}" for name in SETTLED if name != "answered" and load[name]]
    plural = "es" if own["processes"] > 1 else ""
    lines = [
        f"{spec.generator}, {own['processes']} process{plural}: {spec.workload} load on {spec.targets[0]}",
        f"  {', '.join(counts)}",
    ]
    for kind, meaning in LABELS.items():
        p50, p99, most = (ms(kinds[kind].quantile(q)) for q in (0.5, 0.99, 1))
        lines.append(f"  {kind:<9} p50 {p50}, p99 {p99}, max {most}  ({meaning})")
    resident = f"resident {own['max_rss_bytes'] / 2**20:.0f} MiB"
    lines.append(f"  CPU {cpu_s:.2f} s in {own['wall_ns'] / 1e9:.1f} s{each}; {resident}")
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
