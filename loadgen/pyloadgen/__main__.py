"""The command line: `pool`, `threads`, `asyncio` run alone; `agent` is for the benchmark's conductor."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from typing import NoReturn

from pyloadgen import agent, alone
from pyloadgen.crew import CLASSES
from pyloadgen.pacing import LAWS
from pyloadgen.record import HEADER_BYTES, MAX_BYTES

BAD_INPUT = 2
UNITS = {"k": 1000, "m": 1_000_000}
DESCRIPTION = """Three load generators in plain Python, for an echo server that sends back what it gets.

They are here to be measured themselves: the reasons why a simple Python client cannot offer the load of ten thousand
connections are in what they report. `lag` is how late requests were sent; loadgen, in Go, is the one to trust.
Try:  python3 -m pyloadgen threads --target 127.0.0.1:9000 -c 100 -r 100 -d 5
"""
EXITS = """exit: 0 every reply was right; 2 refused: wrong options, or this host lacks descriptors, ports or threads;
3 replies were wrong, or none came; 130 interrupted"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message}. See {self.prog} --help\n")


def number(low: float, high: float, whole: bool = True) -> Callable[[str], float]:
    """An argparse type: a number from `low` to `high`, such as 500 or 10k."""

    def parse(text: str) -> float:
        try:
            factor = UNITS.get(text[-1:].lower(), 1)
            value = float(text[:-1] if factor > 1 else text) * factor
        except ValueError:
            value = float("nan")
        if not low <= value <= high or (whole and value != int(value)):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a {'whole ' if whole else ''}number from {low:g} to {high:g}"
            )
        return int(value) if whole else value

    return parse


def seconds(low: float, high: float, whole: bool) -> Callable[[str], float]:
    return lambda text: number(low, high, whole)(text[:-1] if text.endswith("s") else text)


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
    add = command.add_argument
    add(
        "--target",
        type=alone.target,
        required=True,
        metavar="ADDRESS:PORT",
        help="the echo server; an address, not a name",
    )
    add("-c", "--connections", type=number(1, 1e7), default=100, help="held at the same time (default: %(default)s)")
    add(
        "-r", "--rate", type=number(0, 1e8, whole=False), default=100, help="requests/s over all (default: %(default)s)"
    )
    add("-d", "--duration", type=seconds(1, 86_400, whole=True), default=5, help="in s (default: %(default)s)")
    workloads = "a rate; as fast as replies come; connect, echo, close (default: %(default)s)"
    add("--workload", choices=("open", "closed", "churn"), default="open", help=workloads)
    add("--active", type=number(0, 1e7), help="how many connections carry requests (default: all)")
    add("--arrival", choices=LAWS, default="poisson", help="the law of the gaps (default: %(default)s)")
    add("--payload", type=number(HEADER_BYTES, MAX_BYTES), default=64, help="bytes of a record (default: %(default)s)")
    add("--pipeline", type=number(1, 64), default=1, help="outstanding on one connection; asyncio only")
    add(
        "--think-time",
        type=seconds(0, 3600, whole=False),
        default=0,
        help="of a closed loop, in s (default: %(default)s)",
    )
    add("--timeout", type=seconds(0.1, 60, whole=False), default=5, help="of a request, in s (default: %(default)s)")
    add("--connect-rate", type=number(1, 1e9), default=5000, help="connections/s (default: %(default)s)")
    add(
        "--processes",
        type=number(1, 64),
        help="how many share the load (default: 16 for pool, else as many as descriptors need)",
    )
    add("--seed", type=number(0, 2**32 - 1), help="of arrivals and filler (default: random)")


def main() -> int:
    given = parser().parse_args()
    if given.generator == "agent":
        return agent.main(given.spec)
    try:
        return alone.run(given)
    except KeyboardInterrupt:
        return alone.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
