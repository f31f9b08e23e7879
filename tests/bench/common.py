"""What the benches share: programs built and pinned, `loadgen run` and its report, tables.

A bench is run by hand, `python -m tests.bench.<name>` in the root of the checkout, on a machine that does nothing
else. The server has CPU 0, the generator CPU 1. Figures of two tools come from interleaved rounds, so that what the
machine does meanwhile meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from analysis import histograms
from server import slots
from server.reference import build as reference
from tests.unit.server.harness import free_port

ROOT = Path(__file__).parents[2]
HERE = ROOT / "tests/bench"
OUT = ROOT / ".cache/bench"
SERVER_CPU, GENERATOR_CPU = 0, 1
HOST = "127.0.0.1"
RECORD_BYTES = 64  # and of an answer of the HTTP twin
NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
START_S = 30  # for a server to be ready


class Unmeasured(SystemExit):
    """Why there is no figure, in a sentence: it ends the bench, unless that goes on with something else."""


def generator() -> Path:
    """The generator of this checkout; Go's own cache knows what has changed."""
    reference.build_with_go(OUT / "loadgen", ROOT / "loadgen", "./cmd/loadgen")
    return OUT / "loadgen"


def c_program(name: str) -> Path:
    """A reference server, or a server of tests/bench."""
    if name in reference.PROGRAMS:
        return reference.build(OUT)[name]
    shared = () if name == "frozen" else reference.SHARED
    OUT.mkdir(parents=True, exist_ok=True)
    reference.build_program(OUT / name, (*shared, HERE / f"{name}.c"))
    return OUT / name


def wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk is not here. On Debian: apt-get install wrk")
    return found


@contextmanager
def process(command: Sequence[object], cpu: int | None, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """A child on one CPU, or on all; ended with SIGTERM and waited for."""
    cpus = os.sched_getaffinity(0) if cpu is None else {cpu}
    child = subprocess.Popen(
        [str(word) for word in command], text=True, stdin=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus), **streams,
    )  # fmt: skip
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def listens(port: int) -> bool:
    """Whether somebody does, told without a connection that would be counted: 0A is LISTEN."""
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


@dataclass(frozen=True)
class Server:
    """A server that runs, and what its workers count."""

    child: subprocess.Popen[str]
    port: int
    stats: slots.Reader

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def target(self) -> str:
        return f"{HOST}:{self.port}"

    def answered(self) -> int:
        """How many answers of RECORD_BYTES it has sent so far."""
        return self.stats.total(slots.BYTES_OUT) // RECORD_BYTES

    def held(self) -> int:
        return self.stats.total(slots.OPEN)


@contextmanager
def serving(name: str, workers: int = 1) -> Iterator[Server]:
    """c_echo or http_twin on the server's CPU."""
    run = f"from server import __main__, needs; needs.program = lambda _: {str(c_program(name))!r}; __main__.main()"
    strategy = "c_epoll" if workers == 1 else "c_reuseport"
    words = [sys.executable, "-c", run, "serve", "--strategy", strategy, "--workers", workers]
    with started(words, workers) as server:
        yield server


@contextmanager
def started(command: Sequence[object], processes: int) -> Iterator[Server]:
    """A server that takes --host, --port and --stats, on the server's CPU, once each of its processes is ready."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        stats, log = Path(directory) / "stats.bin", Path(directory) / "log"
        words = [*command, "--host", HOST, "--port", port, "--stats", stats]
        with log.open("wb") as errors, process(words, SERVER_CPU, stderr=errors, cwd=ROOT) as child:
            size = processes * slots.SLOT_BYTES

            def ready() -> bool:
                return stats.exists() and stats.stat().st_size == size and slots.Reader(stats).begun()

            try:
                wait_until(ready, child, START_S, "every worker is ready")
            except Unmeasured as why:
                raise Unmeasured(f"{why} {log.read_text(errors='replace').strip()[-2000:]}") from None
            yield Server(child, port, slots.Reader(stats))


@dataclass(frozen=True)
class Report:
    """What `loadgen run --json` printed."""

    exit: int
    json: dict[str, Any]

    @property
    def done(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["done"]
        return found

    @property
    def load(self) -> dict[str, int]:
        """The counts of the window."""
        found: dict[str, int] = self.done["totals"]["load"]
        return found

    def response(self) -> histograms.Counts:
        """All responses of the window, added at every index."""
        loads = (one for one in self.json["intervals"] if one["phase"] == "load")
        return histograms.add(histograms.decode(one["response"]) for one in loads)

    def kind(self, name: str) -> histograms.Counts:
        """`service` or `lag` of the window."""
        return histograms.decode(self.done[name])


def run_command(target: str, **options: object) -> list[str]:
    """`loadgen run` with options as they are on its command line: connect_rate=5000 is --connect-rate 5000."""
    command = [str(OUT / "loadgen"), "run", "--target", target, "--json", "-q"]
    for name, value in options.items():
        command += [f"{'-' if len(name) == 1 else '--'}{name.replace('_', '-')}", str(value)]
    return command


def report(exit_code: int, text: str, errors: str = "") -> Report:
    """What a run printed. One that offered no load has said why."""
    try:
        found = Report(exit_code, json.loads(text))
    except ValueError:
        raise Unmeasured(f"loadgen run ended with {exit_code} and no report: {errors.strip()}") from None
    if found.json["done"] is None:
        raise Unmeasured(f"loadgen run offered no load: {' '.join(found.json['reasons'])}")
    return found


def generate(target: str, cpu: int | None = GENERATOR_CPU, timeout_s: float = 300, **options: object) -> Report:
    """Run the generator, on one CPU or on all, to its end. Needs generator() before."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with process(run_command(target, **options), cpu, **pipes) as child:
        try:
            text, errors = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise Unmeasured(f"loadgen run has not ended after {timeout_s:.0f} s.") from None
    return report(child.returncode, text, errors)


def unbroken(found: Report) -> Report:
    """A report in which every reply was right, though the run may have been ended before its time."""
    wrong = {name: count for name, count in found.done["integrity"].items() if count and name != "late"}
    if wrong or found.load["mismatched"] or found.load["failed"] or found.done["surplus"]:
        raise Unmeasured(f"This run measures nothing: {wrong}, {found.load}, surplus {found.done['surplus']}")
    return found


def sound(found: Report) -> Report:
    """A whole report worth measuring."""
    if found.exit:
        raise Unmeasured(f"This run measures nothing: exit {found.exit}, {' '.join(found.json['reasons'])}")
    return unbroken(found)


def percentile_ms(counts: histograms.Counts, percent: str) -> float:
    """Of what was answered, in ms."""
    return histograms.percentile_ns(counts, int(counts.sum()), Fraction(percent)) / NS_PER_MS


def wait_until(holds: Callable[[], bool], child: subprocess.Popen[str], within_s: float, what: str) -> None:
    """Poll from the server's CPU; a child that ends before is a failure."""
    deadline = time.monotonic() + within_s
    while not holds():
        if child.poll() is not None:
            raise Unmeasured(f"{child.args!r} ended with {child.returncode}, and not yet: {what}.")
        if time.monotonic() > deadline:
            raise Unmeasured(f"Not within {within_s:.0f} s: {what}.")
        time.sleep(0.01)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table, as docs/generator.md has it."""
    print(f"\n{title}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{'|'.join(['---'] + ['---:'] * (len(columns) - 1))}|")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def figure(value: float, digits: int = 3) -> str:
    """With so many significant digits, and no exponent."""
    if value == 0:
        return "0"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, digits - whole)}f}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The median of the rounds' ratios, and their range."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return f"{figure(median(ratios))} ({figure(min(ratios))}–{figure(max(ratios))})"


# The options of the benches; a bench names those that it has, with their defaults.
OPTIONS = {
    "rounds": "interleaved rounds",
    "connections": "how many",
    "low": "the fewer connections",
    "high": "the more connections",
    "active": "how many of the connections carry requests",
    "rate": "requests/s",
    "connect_rate": "connections/s, or burst",
    "duration": "window, s",
    "seconds": "of sampling",
    "arrival": "law of arrivals",
    "arrivals": "laws of arrivals",
    "requests": "counted in each round of each strategy",
    "responses": "counted in each round of each tool",
    "engine": "epoll or goroutine",
    "engines": "of epoll, goroutine",
    "tools": "of epoll, goroutine, wrk",
    "processes": "of the generator",
    "sources": "source addresses, for more than 28,000 connections: 127.0.0.11,127.1.0.11,…",
    "workers": "server processes, where there are several",
    "strategies": "names of the catalogue",
}


class _Help(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """A description as it is written, and the default of each option."""


def parser(description: str | None, **defaults: int | float | str) -> argparse.ArgumentParser:
    """With the named ones of OPTIONS; `connect_rate` is --connect-rate."""
    made = argparse.ArgumentParser(
        prog=f"python -m tests.bench.{Path(sys.argv[0]).stem}", description=description, formatter_class=_Help
    )
    for name, default in defaults.items():
        option = f"--{name.replace('_', '-')}"
        made.add_argument(option, type=type(default), default=default, help=OPTIONS[name])
    return made


def open_loop(options: argparse.Namespace, engine: str, arrival: str) -> Report:
    """The report of an open loop of one engine against c_echo."""
    load = {"c": options.connections, "r": options.rate, "d": f"{options.duration}s", "arrival": arrival}
    with serving("c_echo") as server:
        return sound(generate(server.target, engine=engine, **load))


def begin(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the options, build, raise the descriptor limit for the children, and say what machine this is."""
    options = parser.parse_args()
    generator()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("The benches need two CPUs: one for the server, one for the generator.")
    os.sched_setaffinity(0, {SERVER_CPU})
    described = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = described[0].split(":")[1].strip() if described else "of no name"
    print(f"`{' '.join(['python -m tests.bench.' + Path(sys.argv[0]).stem, *sys.argv[1:]])}`  ")
    print(f"{os.cpu_count()} CPUs ({model}), Linux {os.uname().release}, load {os.getloadavg()[0]:.1f}")
    return options
