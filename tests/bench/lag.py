"""How late requests are sent (issue 3, figure 4: best of five rounds, p50 at most 0.1 ms, p99 at most 1 ms).

10,000 connections, 10,000 requests/s, against c_echo: lag is the actual less the intended time of sending, and holds
what a request waited behind a busy connection.
"""

from tests.bench import common

PERCENTS = ("50", "95", "99", "99.9")


def main() -> None:
    options = common.begin(
        common.parser(
            __doc__, rounds=5, connections=10_000, rate=10_000, duration=10, arrival="fixed", engines="epoll,goroutine"
        )
    )
    engines = options.engines.split(",")
    rounds: dict[str, list[list[float]]] = {engine: [] for engine in engines}
    for _ in range(options.rounds):
        for engine in engines:
            counts = common.open_loop(options, engine, options.arrival).kind("lag")
            rounds[engine].append([common.percentile_ms(counts, percent) for percent in PERCENTS])
    rows = []
    for engine, found in rounds.items():
        best = min(found, key=lambda one: one[PERCENTS.index("99")])
        rows.append([f"{engine}, best by p99", *map(common.figure, best)])
        rows.append(
            [f"{engine}, median", *(common.figure(common.median(column)) for column in zip(*found, strict=True))]
        )
    load = f"{options.connections:,} connections, {options.rate:,} requests/s, {options.arrival}, {options.duration} s"
    title = f"Lag in ms: {load}, {options.rounds} rounds."
    common.table(title, ["engine", *(f"p{percent}" for percent in PERCENTS)], rows)


if __name__ == "__main__":
    main()
