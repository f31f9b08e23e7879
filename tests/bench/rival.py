"""This generator beside another build of it: CPU per response and per connection armed, memory per connection, lag.

--rival names the other binary, such as that of an older commit. Each round measures this one, the rival, and the
rival once more, in random order: the ratio of the rival to itself is what nothing but noise makes.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import common, rounds, usage
from tests.bench.cpu import measure

OURS, RIVAL, CONTROL = "this build", "the rival", "the rival again"


@dataclass(frozen=True)
class Found:
    response_us: float  # CPU, closed loop
    open_us: float  # CPU, open loop
    armed_us: float  # CPU per connection
    memory_bytes: float  # per connection
    lag_p50_ms: float
    lag_p99_ms: float


FIGURES = {
    "CPU/response, closed": "response_us",
    "CPU/response, open": "open_us",
    "CPU/connection armed": "armed_us",
    "memory/connection": "memory_bytes",
    "lag p50": "lag_p50_ms",
    "lag p99": "lag_p99_ms",
}


@contextmanager
def running(binary: Path, server: common.Server, **options: object) -> Iterator[subprocess.Popen[str]]:
    command = [str(binary), *common.run_command(server.target, **options)[1:]]
    with common.process(command, common.GENERATOR_CPU, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        yield child


def response_us(binary: Path, engine: str, connections: int, responses: int) -> float:
    """CPU of a closed loop between two numbers of answers of the server."""
    load = {"w": "closed", "c": connections, "d": "600s", "warmup": "0s", "engine": engine}
    with common.serving("c_echo") as server, running(binary, server, **load) as child:
        first, _, cpu = measure(server, child, 4 * connections)
        last, _, spent = measure(server, child, first + responses)
        child.terminate()
        text, _ = child.communicate(timeout=60)
    common.unbroken(common.report(child.returncode, text))
    return (spent - cpu) / 1000 / (last - first)


def armed(binary: Path, engine: str, connections: int) -> tuple[float, float]:
    """CPU µs and bytes of a connection that was made and answered one echo, and of which nothing is asked."""
    load = {
        "c": connections,
        "active": 1,
        "r": 1,
        "d": "600s",
        "warmup": "0s",
        "engine": engine,
        "connect_rate": "burst",
    }
    with common.serving("c_echo") as server, running(binary, server, **load) as child:
        common.wait_until(lambda: server.answered() >= connections, child, 60, "every connection armed")
        cpu = usage.cpu(child.pid).total_ns
        memory = usage.memory(child.pid).anonymous_bytes
        child.terminate()
        child.communicate(timeout=60)
    return cpu / 1000 / connections, memory / connections


def open_loop(binary: Path, engine: str, connections: int, rate: int, duration: int) -> common.Report:
    load = {"c": connections, "r": rate, "d": f"{duration}s", "warmup": "0s", "arrival": "fixed", "engine": engine}
    with common.serving("c_echo") as server, running(binary, server, **load) as child:
        text, _ = child.communicate(timeout=120)
    return common.sound(common.report(child.returncode, text))


def main() -> None:
    parser = common.parser(
        __doc__, rounds=7, engine="epoll", connections=10_000, responses=400_000, rate=10_000, duration=5
    )
    parser.add_argument("--rival", type=Path, required=True, help="the other binary")
    options = common.begin(parser)
    binaries = {OURS: common.OUT / "loadgen", RIVAL: options.rival, CONTROL: options.rival}

    def one(key: str) -> Found:
        binary, engine, connections = binaries[key], options.engine, options.connections
        cpu = response_us(binary, engine, connections, options.responses)
        arming, memory = armed(binary, engine, connections)
        found = open_loop(binary, engine, connections, options.rate, options.duration)
        used = found.done["self"]["cpu_user_ns"] + found.done["self"]["cpu_system_ns"]
        lag = found.kind("lag")
        p50, p99 = (common.percentile_ms(lag, percent) for percent in ("50", "99"))
        return Found(cpu, used / 1000 / found.load["answered"], arming, memory, p50, p99)

    made = rounds.interleaved(list(binaries), options.rounds, 1, one)
    made.explain()
    rows = []
    for title, field in FIGURES.items():

        def size(found: Found, field: str = field) -> float:
            return float(getattr(found, field))

        medians = [common.figure(common.median([size(found) for found in made.of(key)])) for key in (OURS, RIVAL)]
        ratios = [rounds.shown(made.ratio(key, RIVAL, size)) for key in (OURS, CONTROL)]
        rows.append([title, *medians, *ratios])
    load = f"{options.engine}, {options.connections:,} connections"
    title = f"{load}: {options.rounds} interleaved rounds; µs, bytes, ms; ratios with their 95 % intervals."
    common.table(title, ["figure", OURS, RIVAL, "ratio", "control"], rows)


if __name__ == "__main__":
    main()
