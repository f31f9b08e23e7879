"""CPU of the server to accept, echo once and see off a client, beside C epoll's (issue 4, figure 5).

epoll must reach 1/1.25 of C's efficiency; the queue (workers) must cost at least 5 times what epoll does. From before
the first connection until the last has been closed, with the children that have ended meanwhile. The client closes
first, so the ports that wait (TIME_WAIT) are the client's: hence its many addresses.
"""

import argparse

from tests.bench import common, rounds, strategies, usage

SINGLE = "epoll"  # what others are compared with, beside C


def churned(options: argparse.Namespace, name: str) -> usage.Cost:
    with strategies.serving(name, options.workers) as server:
        before = usage.cpu(server.pid)
        found = common.generate(
            server.target, w="churn", c=options.in_flight, requests=options.requests, source=options.sources,
            processes=1, timeout="30s", timeout_s=strategies.PATIENCE_S,
        )  # fmt: skip
        answered = common.sound(found).load["answered"]
        if answered < options.requests:
            raise common.Unmeasured(f"{answered:,} of {options.requests:,} requests were answered.")
        common.wait_until(
            lambda: server.held() == 0, server.child, strategies.PATIENCE_S, "the server has seen off every client"
        )
        return usage.cost(before, usage.cpu(server.pid), options.requests)


def main() -> None:
    parser = strategies.parser(__doc__, rounds=7, strategies="epoll,workers", requests=10_000, sources="127.0.0.16/28")
    parser.add_argument("--in-flight", type=int, default=1_000, help="requests at a time")
    options, names = strategies.begin(parser)
    names = strategies.beside_c(names)
    made = rounds.interleaved(names, options.rounds, options.seed, lambda name: churned(options, name))
    rows = []
    for name in names:
        efficiency = made.ratio(strategies.YARDSTICK, name, strategies.total_us)
        against = "1" if name == strategies.YARDSTICK else rounds.shown(efficiency)
        dearer = ""
        if SINGLE in names and name != SINGLE:
            dearer = rounds.shown(made.ratio(name, SINGLE, strategies.total_us))
        rows.append([name, strategies.middle(made.of(name)), against, dearer])
    load = f"{options.requests:,} requests, {options.in_flight:,} in flight"
    title = f"Churn: {load}, {options.rounds} rounds; medians, and ratios with their 95 % intervals."
    columns = ["strategy", "CPU µs/request", "efficiency (95 %)", f"÷ {SINGLE} (95 %)"]
    common.table(title, columns, rows)
    made.explain()


if __name__ == "__main__":
    main()
