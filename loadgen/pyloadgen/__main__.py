"""The command line: `pool`, `threads`, `asyncio` run alone; `agent` is for the benchmark's conductor."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from contracts.declared import PARAMETERS
from contracts.judge import Parameter, judge
from pyloadgen import agent, alone
from pyloadgen.crew import CLASSES, MOST_PROCESSES

BAD_INPUT = 2
UNITS = {"k": 1000, "m": 1_000_000}
DESCRIPTION = """Three load generators in plain Python, for an echo server that sends back what it gets.

They are here to be measured themselves: the reasons why a simple Python client cannot offer the load of ten thousand
connections are in what they report. `lag` is how late requests were sent; loadgen, in Go, is the one to trust.
Try:  python3 -m pyloadgen threads --target 127.0.0.1:9000 -c 100 -r 100 -d 5
"""
EXITS = """exit: 0 every reply was right; 2 refused: wrong options, or this host lacks descriptors, ports or threads;
3 replies were wrong, or none came; 130 interrupted"""
CONDUCTED = ("ramp", "capacity")  # workloads that need a conductor
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


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message.rstrip('.')}. See {self.prog} --help\n")


def plain(text: str) -> str:
    """A number as the declaration has it: 10k is 10000, 5s is 5."""
    parts = re.fullmatch(r"(\d+\.?\d*)([km])", text.lower())
    if parts:
        return f"{float(parts[1]) * UNITS[parts[2]]:.15g}"
    return text[:-1] if re.fullmatch(r"\d+\.?\d*s", text) else text


def value_of(parameter: Parameter) -> Callable[[str], Any]:
    """An argparse type: a value of the parameter."""

    def read(text: str) -> Any:
        try:
            return judge(parameter, plain(text))
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
    command.add_argument("--target", type=alone.target, required=True, metavar="ADDRESS:PORT", help=where)
    for parameter, default in OPTIONS.items():
        choices = [word for word in parameter.words if word not in CONDUCTED] if parameter.kind == "choice" else None
        command.add_argument(
            *SHORT.get(parameter.name, ()),
            "--" + parameter.name.replace("_", "-"),
            type=value_of(parameter),
            choices=choices,
            metavar=None if choices else "N",
            default=default,
            help=f"{parameter.meaning.replace('%', '%%')} (default: {UNSAID.get(parameter.name, '%(default)s')})",
        )


def main() -> int:
    given = parser().parse_args()
    if given.generator == "agent":
        return agent.main(given.spec)
    return alone.run(given)


if __name__ == "__main__":
    sys.exit(main())
