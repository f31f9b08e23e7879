"""Marginal user memory of the server per held connection (issue 4, figure 8: 250 bytes, on raw descriptors 16).

The own memory of the server's processes (Anonymous of /proc/PID/smaps_rollup: heap and stacks, no files, no sockets;
PSS beside it) while it holds --low and then --high idle connections, each of which has been answered one echo; the
difference within a round, divided by the connections between.
"""

import time
from collections.abc import Sequence
from dataclasses import fields

from tests.bench import common, rounds, strategies, usage

SAMPLES, BETWEEN_S = 5, 0.3  # of which the median counts: a garbage collector's memory goes up and down


def held(name: str, workers: int, connections: int) -> usage.Memory:
    with strategies.serving(name, workers) as server, strategies.loading(server, c=connections, r=1, active=1) as child:

        def settled() -> bool:
            return server.held() >= connections and server.answered() > connections

        what = f"{connections:,} connections held and answered, and a request after them"
        common.wait_until(settled, child, strategies.PATIENCE_S, what)
        samples = []
        for _ in range(SAMPLES):
            time.sleep(BETWEEN_S)
            samples.append(usage.memory(server.pid))
    return usage.Memory(
        *(int(common.median([getattr(one, of.name) for one in samples])) for of in fields(usage.Memory))
    )


def spread(values: Sequence[float]) -> str:
    return f"{common.figure(common.median(values))} ({common.figure(min(values))}–{common.figure(max(values))})"


def main() -> None:
    options, names = strategies.begin(
        strategies.parser(__doc__, rounds=3, strategies="epoll,epoll_raw", low=1_000, high=10_000)
    )

    def measure(name: str) -> tuple[usage.Memory, usage.Memory]:
        return held(name, options.workers, options.low), held(name, options.workers, options.high)

    made = rounds.interleaved(names, options.rounds, options.seed, measure)
    between = options.high - options.low
    rows = []
    for name in names:
        found = made.of(name)
        if not found:
            rows.append([name, "–", "–", "–"])
            continue
        own = spread([(high.anonymous_bytes - low.anonymous_bytes) / between for low, high in found])
        pss = spread([(high.pss_bytes - low.pss_bytes) / between for low, high in found])
        mib = common.figure(common.median([high.anonymous_bytes for _, high in found]) / 2**20)
        rows.append([name, own, pss, mib])
    title = (
        f"User memory of the server from {options.low:,} to {options.high:,} idle connections, {options.rounds} rounds;"
        " median (range)."
    )
    common.table(title, ["strategy", "bytes/connection", "of PSS", f"MiB at {options.high:,}"], rows)
    made.explain()


if __name__ == "__main__":
    main()
