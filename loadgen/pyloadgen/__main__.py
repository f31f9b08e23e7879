"""The command line: `pool`, `threads`, `asyncio` run alone; `agent` is for the benchmark's conductor."""

from __future__ import annotations

import argparse
import importlib
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from contracts.declared import LOAD, PARAMETERS, SETTLED, WORKLOADS
from contracts.judge import Parameter, judge
from contracts.line import Event, raise_descriptor_limit
from pyloadgen import agent
from pyloadgen.crew import CLASSES, MOST_PROCESSES, Crew, processes_for
from pyloadgen.errors import Refusal
from pyloadgen.histogram import Histogram
from pyloadgen.session import REFUSED, Session
from pyloadgen.spec import Spec, target_of, typed

DESCRIPTION = """Three load generators in plain Python, for an echo server that sends back what it gets.

They are here to be measured themselves: the reasons why a simple Python client cannot offer the load of ten thousand
connections are in what they report. `lag` is how late requests were sent; loadgen, in Go, is the one to trust.
Try:  python3 -m pyloadgen threads --target 127.0.0.1:9000 -c 100 -r 100 -d 5
"""
EXITS = """exit: 0 every reply was right; 2 refused: wrong options, or this host lacks descriptors, ports or threads;
3 replies were wrong, or none came; 130 interrupted"""
CONDUCTED = ("ramp", *(name for name, workload in WORKLOADS.items() if workload.searches))  # they need a conductor
CREW = Parameter("processes", "load", "whole", "how many share the load", None, 1, MOST_PROCESSES, accepts="1 to 64")
# Parameters that a person may give, some with a default where that of the benchmark is too much.
OPTIONS = {
    PARAMETERS["connections"]: 100, PARAMETERS["rate"]: 100, PARAMETERS["duration"]: 5,
    **{PARAMETERS[name]: PARAMETERS[name].default for name in (
        "workload", "active", "arrival", "payload_bytes", "pipeline", "think_time", "timeout", "connect_rate", "seed",
    )},
    CREW: None,
}  # fmt: skip
SHORT = {"connections": ["-c"], "rate": ["-r"], "duration": ["-d"], "payload_bytes": ["--payload"]}
UNSAID = {"seed": "random", "processes": "16 for pool, else as many as descriptors need"}
LEAD_NS = 200_000_000  # between the order and the start
LATE_NS = 1_000_000
GOOD, WRONG, INTERRUPTED = 0, 3, 130
LABELS = {"response": "from the intended time", "service": "from the actual send", "lag": "how late it was sent"}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {message.rstrip('.')}. See {self.prog} --help\n")


def value_of(parameter: Parameter) -> Callable[[str], Any]:
    """An argparse type: a value of the parameter."""

    def read(text: str) -> Any:
        try:
            return judge(parameter, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def parser() -> Parser:
    shape = argparse.RawDescriptionHelpFormatter
    top = Parser(prog="python3 -m pyloadgen", description=DESCRIPTION, epilog=EXITS, formatter_class=shape)
    commands = top.add_subparsers(dest="generator", metavar="GENERATOR", required=True)
    for name, (module, _) in CLASSES.items():
        text = importlib.import_module(f"pyloadgen.{module}").__doc__ or ""
        brief = text.split(": ", 1)[1].split("\n", 1)[0].rstrip(",")
        options(commands.add_parser(name, help=brief, description=text, epilog=EXITS, formatter_class=shape))
    agent_command = commands.add_parser("agent", help="take part in a trial: orders on stdin, events on stdout")
    agent_command.add_argument("--spec", required=True, help="JSON, as docs/contracts.md describes")
    return top


def options(command: argparse.ArgumentParser) -> None:
    where = "the echo server; an address, not a name"
    command.add_argument("--target", type=target, required=True, metavar="ADDRESS:PORT", help=where)
    for parameter, default in OPTIONS.items():
        flags = [*SHORT.get(parameter.name, ()), "--" + parameter.name.replace("_", "-")]
        words = [word for word in parameter.words if word not in CONDUCTED]
        takes = {"choices": words} if parameter.kind == "choice" else {"metavar": "N"}
        said = f"{parameter.meaning.replace('%', '%%')} (default: {UNSAID.get(parameter.name, '%(default)s')})"
        command.add_argument(*flags, type=value_of(parameter), default=default, help=said, **takes)


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
    load["seed"] = secrets.randbits(32) if load["seed"] is None else load["seed"]
    load["active"] = load["connections"] if load["active"] == "all" else load["active"]
    load["connect_rate"] = None if load["connect_rate"] == "burst" else load["connect_rate"]
    return typed(
        {
            **load, "warmup": 0, "run": "alone", "run_number": secrets.randbits(32), "trial": 1, "host": "alone",
            "dir": "/", "targets": [options.target], "sources": [], "first_connection": 0, "phase": 0, "cpus": None,
            "lifetime_s": 1e7, "processes": options.processes,
        }
    )  # fmt: skip


def complain(text: str) -> None:
    print(f"pyloadgen: {text}", file=sys.stderr)


class Console(Session):
    """The conductor's part, in short: arm, go, stop; and a person who reads."""

    status = GOOD

    def run(self) -> int:
        self._whole = Histogram()
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
            self._whole += self.response
            p99 = ms(self.response.quantile(0.99))
            print(
                f"{event['k'] + 1:3} s: {event['answered']} of {event['planned']} answered, p99 {p99}", file=sys.stderr
            )
        elif name == "done":
            print("\n".join(report(self.spec, event, {"response": self._whole, **self.kinds})))
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


def main() -> int:
    given = parser().parse_args()
    if given.generator == "agent":
        return agent.main(given.spec)
    try:
        spec = specification(given)
    except Refusal as refusal:
        complain(str(refusal))
        return REFUSED
    descriptors = raise_descriptor_limit()
    return Console(spec, Crew(spec, processes_for(spec, descriptors)), descriptors).run()


if __name__ == "__main__":
    sys.exit(main())
