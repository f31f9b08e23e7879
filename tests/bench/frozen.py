"""Does the generator measure what arithmetic says? (issue 3, figure 3: p95, p99, p99.9 within 2 %.)

frozen.c does nothing in the last F of every T. Of arrivals spread evenly, the share (F − x)/T waits longer than x:
so a percentile q is F − (1 − q)·T, and 0 where that is negative; where it is 0, the value itself is shown, in ms.
Poisson arrivals are compared with the arithmetic of exactly those that occurred, which frozen.c notes. `service`
counts from the actual send: with as many connections as requests a second nobody waits for a free one and it is the
same; with --connections 10 it is what a closed-loop tool would have said. Merged: three generators at once, each
with a third of the load, added at every index.
"""

import argparse
import subprocess
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil
from pathlib import Path

from analysis import histograms
from tests.bench import common
from tests.unit.server import harness

PERCENTS = ("95", "99", "99.9")


def arithmetic_ms(percent: str, period_ms: int, freeze_ms: int) -> float:
    """Of arrivals spread evenly over whole periods."""
    return max(0.0, float(freeze_ms - (1 - Fraction(percent) / 100) * period_ms))


def occurred_ms(path: Path) -> list[float]:
    """What the arrivals that frozen.c has noted must have waited, sorted."""
    words = array("Q")
    words.frombytes(path.read_bytes())
    count = words[0]
    arrivals, freezes = words[1 : count + 1], words[count + 2 :]
    starts, ends = freezes[::2], freezes[1::2]

    def wait_ns(at: int) -> int:
        i = bisect_right(starts, at) - 1
        return max(0, ends[i] - at) if i >= 0 else 0

    return sorted(wait_ns(at) / common.NS_PER_MS for at in arrivals)


def of_sorted(values: list[float], percent: str) -> float:
    return values[max(1, ceil(Fraction(percent) * len(values) / 100)) - 1]


@dataclass(frozen=True)
class Cell:
    """A duty cycle, a law of arrivals, and how many generators share the load."""

    freeze_ms: int
    arrival: str
    hosts: int


@dataclass(frozen=True)
class Measured:
    """What the generators of a cell measured, added, and what had to come of the arrivals that occurred."""

    response: histograms.Counts
    service: histograms.Counts
    occurred_ms: list[float]


def measure(options: argparse.Namespace, cell: Cell) -> Measured:
    """Load a frozen server with one generator, or with several at once that each have a share."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        port, out = harness.free_port(), Path(directory) / "arrivals"
        command = [common.c_program("frozen"), common.HOST, port, options.period_ms, cell.freeze_ms, out]
        server = stack.enter_context(common.process(command, common.SERVER_CPU))
        harness.eventually(lambda: common.listens(port), "the frozen server listens")
        children = []
        for host in range(cell.hosts):
            share = {
                name: total // cell.hosts + (host < total % cell.hosts)
                for name, total in (("c", options.connections), ("r", options.rate))
            }
            run = common.run_command(
                f"{common.HOST}:{port}",
                **share,
                d=f"{options.duration}s",
                arrival=cell.arrival,
                warmup="0s",
                seed=host + 1,
                engine=options.engine,
            )
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            children.append(stack.enter_context(common.process(run, common.GENERATOR_CPU, **pipes)))
        reports = []
        for child in children:
            text, errors = child.communicate(timeout=options.duration + 60)
            reports.append(common.sound(common.report(child.returncode, text, errors)))
        server.terminate()
        server.wait(10)
        occurred = occurred_ms(out)
    response = histograms.add(one.response() for one in reports)
    if response.sum() != len(occurred):
        raise SystemExit(f"{response.sum()} were answered, but {len(occurred)} arrived: nothing can be compared.")
    return Measured(response, histograms.add(one.kind("service") for one in reports), occurred)


def compare(options: argparse.Namespace, cell: Cell, found: Measured) -> Iterator[tuple[list[str], float]]:
    """A row of the table for each percentile, and its relative error; 0 where the arithmetic is 0."""
    what = f"{cell.freeze_ms / options.period_ms:.0%}, {cell.arrival}, {cell.hosts}"
    for percent in PERCENTS:
        if cell.arrival == "fixed":
            truth = arithmetic_ms(percent, options.period_ms, cell.freeze_ms)
        else:
            truth = of_sorted(found.occurred_ms, percent)
        response = common.percentile_ms(found.response, percent)
        service = common.percentile_ms(found.service, percent)
        error = (response - truth) / truth if truth else 0.0
        shown = f"{error:+.2%}" if truth else f"{response:.3g} ms"
        yield [what, f"p{percent}", f"{truth:.2f}", f"{response:.2f}", shown, f"{service:.2f}"], error


def main() -> None:
    parser = common.parser(
        __doc__, rounds=1, duration=60, rate=1_000, connections=1_000, arrivals="fixed,poisson", engine="epoll"
    )
    add = parser.add_argument
    add("--period-ms", type=int, default=5_000, help="T; the window is whole periods")
    add("--freezes-ms", default="250,500,1000", help="F: duty cycles of 5, 10 and 20 %%")
    add("--hosts", default="1,3", help="generators at once")
    options = common.begin(parser)
    rows, errors = [], []
    freezes, arrivals, hosts = (text.split(",") for text in (options.freezes_ms, options.arrivals, options.hosts))
    for _, freeze, arrival, count in product(range(options.rounds), freezes, arrivals, hosts):
        cell = Cell(int(freeze), arrival, int(count))
        for row, error in compare(options, cell, measure(options, cell)):
            rows.append(row)
            errors.append(abs(error))
    load = f"{options.rate:,} requests/s on {options.connections:,} connections, {options.duration} s, {options.engine}"
    title = f"A server frozen in the last part of every {options.period_ms} ms; {load}; ms."
    columns = ["duty, arrival, generators", "percentile", "arithmetic", "response", "error", "service"]
    common.table(title, columns, rows)
    print(f"\nWorst relative error: {max(errors):.2%}.")


if __name__ == "__main__":
    main()
