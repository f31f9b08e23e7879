"""CPU of the server per request beside C epoll's, closed loop, all connections active (issue 4, figure 2).

CPU of the server's processes, user and system apart, between two instants that lie --requests answers of 64 bytes
apart. Efficiency is C's CPU per request divided by the strategy's own, of the same round: 1 is as cheap as C, 0.5 twice
as dear. The kernel samples the two parts: to tell tenths of a microsecond of user time takes 400,000 requests.
"""

from functools import partial

from tests.bench import common, rounds, strategies


def main() -> None:
    options, names = strategies.begin(
        strategies.parser(
            __doc__, rounds=7, strategies="epoll_raw,io_uring,epoll", connections="1000,10000", requests=400_000
        )
    )
    names = strategies.beside_c(names)
    for connections in map(int, options.connections.split(",")):
        measure = partial(
            strategies.cost, workers=options.workers, connections=connections, active=connections,
            answers=options.requests,
        )  # fmt: skip
        made = rounds.interleaved(names, options.rounds, options.seed, measure)
        rows = []
        for name in names:
            efficiency = made.ratio(strategies.YARDSTICK, name, strategies.total_us)
            against = "1" if name == strategies.YARDSTICK else rounds.shown(efficiency)
            parts = [strategies.middle(made.of(name), part) for part in ("user_us", "system_us", "total_us")]
            rows.append([name, *parts, against])
        load = f"{connections:,} connections, all active, {options.requests:,} requests a round"
        title = f"Closed loop: {load}, {options.rounds} rounds; medians, and C ÷ own with its 95 % interval."
        columns = ["strategy", "user µs/request", "system µs", "CPU µs", "efficiency (95 %)"]
        common.table(title, columns, rows)
        made.explain()


if __name__ == "__main__":
    main()
