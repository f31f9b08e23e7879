"""Who accepts: shares of the connections per worker, for each way they reach several processes (issue 4, figure 6).

Paced connections that stay; where a worker serves one at a time, connections that come, ask once and go, as many at a
time as there are workers. All workers are on one core, so that the kernel's choice is seen and not that of the cores.
The workers of each run are ordered by what they have accepted; each place has its median and range over the runs.
"""

import argparse

from server import catalog, slots
from tests.bench import common, rounds, strategies

NAMES = "prefork_accept,prefork_mutex,prefork_herd,prefork_exclusive,prefork_reuseport,sendfd,workers"


def accepted(options: argparse.Namespace, name: str) -> list[int]:
    """What each worker has accepted, the busiest first."""
    with strategies.serving(name, options.workers) as server:
        if catalog.find(name).one_client:
            found = common.generate(
                server.target, w="churn", c=options.workers, requests=options.connections,
                timeout_s=strategies.PATIENCE_S,
            )  # fmt: skip
        else:
            found = common.generate(
                server.target, c=options.connections, connect_rate=options.connect_rate, r=options.connections, d="1s",
                warmup="0s", timeout_s=strategies.PATIENCE_S,
            )  # fmt: skip
        common.sound(found)
        counts = [one[slots.FIELDS[slots.ACCEPTED]] for one in server.stats.slots()]
    if sum(counts) < options.connections:  # churn tries one before it begins
        raise common.Unmeasured(f"{sum(counts):,} connections were accepted, not {options.connections:,}.")
    return sorted(counts, reverse=True)


def main() -> None:
    options, names = strategies.begin(
        strategies.parser(__doc__, rounds=10, strategies=NAMES, workers=4, connections=1_000, connect_rate="5000")
    )
    made = rounds.interleaved(names, options.rounds, options.seed, lambda name: accepted(options, name))
    rows = []
    for name in names:
        places = zip(*made.of(name), strict=True)
        rows.append([name, *(f"{common.median(one):,.0f} ({min(one):,}–{max(one):,})" for one in places)])
    columns = ["strategy", *(f"worker {place}" for place in range(1, max(map(len, rows))))]
    rows = [row + ["–"] * (len(columns) - len(row)) for row in rows]
    load = f"{options.connections:,} connections, {options.connect_rate}/s"
    title = (
        f"Accepted by each of {options.workers} workers: {load}, {options.rounds} runs; median (range), busiest first."
    )
    common.table(title, columns, rows)
    made.explain()


if __name__ == "__main__":
    main()
