"""Marginal user memory of one held connection (issue 3, figure 1: at most 200 bytes; wrk 4.3 KiB, tcpkali 10.5).

The generator's own memory (Anonymous of /proc/PID/smaps_rollup: heap and stacks, no files, no sockets; PSS beside
it) is read while it loads --low and then --high connections; the difference, divided by the connections between, is
what one of them costs. With --processes the number of processes is the same at both, so that only connections
differ; `all in` is everything that the processes use at --high, divided by --high.
"""

import subprocess
import time

from tests.bench import common, usage

RATE_PER_S = 1_000  # the same at every number of connections: only these are to differ
SETTLED_AFTER = 2_000  # answers of the load: what is allocated once has been
SAMPLES, BETWEEN_S = 11, 0.5  # of which the median counts: a garbage collector's memory goes up and down


def memory(tool: str, connections: int, processes: int, sources: str) -> list[usage.Memory]:
    """What a tool uses while it loads so many connections."""
    with common.serving("http_twin" if tool == "wrk" else "c_echo", -(-connections // 15_000)) as server:
        if tool == "wrk":
            target = f"http://{server.target}/"
            command: list[object] = [common.wrk(), "-t", processes, "-c", connections, "-d60s", target]
        else:
            command = [*common.run_command(
                server.target, c=connections, r=RATE_PER_S, d="60s", engine=tool, processes=processes, warmup="0s",
                **({"source": sources} if sources else {}),
            )]  # fmt: skip
        with common.process(
            command, common.GENERATOR_CPU, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as child:
            # Every connection has been verified with one echo, and then the load has begun.
            least = connections + SETTLED_AFTER
            common.wait_until(lambda: server.answered() >= least, child, 120, "answers of the load")
            if server.held() < connections:
                raise SystemExit(f"{tool} holds {server.held()} connections, not {connections}.")
            used = []
            for _ in range(SAMPLES):
                used.append(usage.memory(child.pid))
                time.sleep(BETWEEN_S)
            return used


def main() -> None:
    options = common.begin(
        common.parser(__doc__, rounds=3, low=1_000, high=10_000, processes=1, sources="", tools="epoll,goroutine,wrk")
    )
    tools = options.tools.split(",")
    used: dict[tuple[str, int], list[usage.Memory]] = {}
    for _ in range(options.rounds):
        for tool in tools:
            for connections in (options.low, options.high):
                used.setdefault((tool, connections), [])
                used[tool, connections] += memory(tool, connections, options.processes, options.sources)

    def middle(tool: str, connections: int, field: str) -> float:
        return common.median([getattr(one, field) for one in used[tool, connections]])

    rows = []
    between = options.high - options.low
    for tool in tools:
        row = [tool]
        for field in ("anonymous_bytes", "pss_bytes"):
            low, high = (middle(tool, connections, field) for connections in (options.low, options.high))
            row += [common.figure((high - low) / between)]
        all_in = middle(tool, options.high, "anonymous_bytes")
        rows.append([*row, common.figure(all_in / options.high), common.figure(all_in / 2**20)])
    columns = ["tool", "bytes/connection", "of PSS", "all in", f"MiB at {options.high:,}"]
    processes = f"{options.processes} process" + ("es" if options.processes > 1 else "")
    title = (
        f"User memory from {options.low:,} to {options.high:,} connections, {processes}, median of {options.rounds}."
    )
    common.table(title, columns, rows)


if __name__ == "__main__":
    main()
