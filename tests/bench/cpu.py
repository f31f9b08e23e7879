"""CPU of the generator per response, closed loop, 10,000 connections, one core (issue 3, figure 2).

The epoll engine must need no more CPU (user + system) than wrk for the same number of responses, nor than the
goroutine engine; at least 10 times less memory than that, and an open-loop p99.9 no higher. Epoll and goroutine load
c_echo with records of 64 bytes and check every byte of every reply; wrk loads its HTTP twin, the same loop, which
answers with 64 bytes. All three are measured alike and from outside: CPU of the process and its children, between
two instants that lie --responses answers of the server apart.
"""

import argparse
import subprocess
import time
from dataclasses import dataclass

from tests.bench import common, usage

RUN_S = 600  # far more than is needed: the run is ended when all has been counted


@dataclass(frozen=True)
class Cost:
    cpu_us: float  # per response
    per_s: float
    anonymous_bytes: int


def closed(tool: str, connections: int, responses: int) -> Cost:
    """One round of one tool, which ends when the server has sent so many answers more."""
    with common.serving("http_twin" if tool == "wrk" else "c_echo") as server:
        options = {"w": "closed", "c": connections, "d": f"{RUN_S}s", "warmup": "0s", "engine": tool}
        if tool == "wrk":
            command: list[object] = [common.wrk(), "-t1", "-c", connections, "-d", RUN_S, f"http://{server.target}/"]
        else:
            command = [*common.run_command(server.target, **options)]
        with common.process(command, common.GENERATOR_CPU, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            # Past arming, and past the burst with which a closed loop begins.
            first, begin, cpu = measure(server, child, 4 * connections)
            last, end, spent = measure(server, child, first + responses)
            memory = usage.memory(child.pid).anonymous_bytes
            child.terminate()
            text, _ = child.communicate(timeout=60)
    if tool != "wrk":
        common.unbroken(common.report(child.returncode, text))
    count = last - first
    return Cost((spent - cpu) / 1000 / count, count * common.NS_PER_S / (end - begin), memory)


def measure(server: common.Server, child: "subprocess.Popen[str]", at_least: int) -> tuple[int, int, int]:
    """Answers, time and CPU time when the server has sent so many answers."""
    common.wait_until(lambda: server.answered() >= at_least, child, RUN_S, f"{at_least} answers")
    return server.answered(), time.monotonic_ns(), usage.cpu(child.pid).total_ns


def open_tail_ms(options: argparse.Namespace, engine: str) -> float:
    """The p99.9 of an open loop, from the intended time."""
    return common.percentile_ms(common.open_loop(options, engine, "fixed").response(), "99.9")


def main() -> None:
    open_loop = {"rate": 10_000, "duration": 10}
    options = common.begin(
        common.parser(
            __doc__, rounds=5, connections=10_000, responses=400_000, **open_loop, tools="epoll,goroutine,wrk"
        )
    )
    tools = options.tools.split(",")
    costs: dict[str, list[Cost]] = {tool: [] for tool in tools}
    tails: dict[str, list[float]] = {tool: [] for tool in tools if tool != "wrk"}
    for _ in range(options.rounds):
        for tool in tools:
            costs[tool].append(closed(tool, options.connections, options.responses))
        for engine in tails:
            tails[engine].append(open_tail_ms(options, engine))

    def cpu(tool: str) -> list[float]:
        return [one.cpu_us for one in costs[tool]]

    def memory(tool: str) -> list[float]:
        return [float(one.anonymous_bytes) for one in costs[tool]]

    rows = []
    for tool in tools:
        ratios = [
            common.paired_ratio(cpu(tool), cpu(other)) if other in tools and other != tool else ""
            for other in ("wrk", "goroutine")
        ]
        rate = common.median([one.per_s for one in costs[tool]])
        mib = common.median(memory(tool)) / 2**20
        tail = common.figure(common.median(tails[tool])) if tool in tails else ""
        rows.append([tool, common.figure(common.median(cpu(tool))), *ratios, f"{rate:,.0f}", common.figure(mib), tail])
    load = f"{options.connections:,} connections, {options.responses:,} responses a round"
    title = f"Closed loop: {load}, {options.rounds} interleaved rounds; medians, and median (range) of the ratios."
    columns = ["tool", "CPU µs/response", "÷ wrk", "÷ goroutine", "responses/s", "own MiB", "open-loop p99.9 ms"]
    common.table(title, columns, rows)
    if {"epoll", "goroutine"} <= set(tools):
        ratio = common.paired_ratio(memory("goroutine"), memory("epoll"))
        tail = common.paired_ratio(tails["epoll"], tails["goroutine"])
        print(f"\nOwn memory, goroutine ÷ epoll: {ratio}.")
        print(f"Open loop at {options.rate:,} requests/s, p99.9, epoll ÷ goroutine: {tail}.")


if __name__ == "__main__":
    main()
