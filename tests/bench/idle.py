"""What idle connections cost (issue 4, figure 4: epoll flat within 20 %, poll at least 10 times dearer at 10,000).

Closed loop on --active of the connections held, the others idle; CPU of the server per request as in efficiency.py. The
ratio is of the same round, to the fewest connections held. The slower a server is, the more sockets a closed loop has
ready for each of its calls, which spares it most of them; with --rate the load is an open loop, and nobody waits.
"""

from tests.bench import common, rounds, strategies, usage


def main() -> None:
    parser = strategies.parser(__doc__, rounds=7, strategies="epoll,poll", active=100, requests=100_000)
    parser.add_argument("--held", default="100,1000,10000,19000", help="connections")
    parser.add_argument("--rate", type=int, default=0, help="requests/s of an open loop; 0: a closed loop")
    options, names = strategies.begin(parser)
    held = sorted(map(int, options.held.split(",")))

    def measure(key: tuple[str, int]) -> usage.Cost:
        name, connections = key
        active = min(options.active, connections)
        return strategies.cost(name, options.workers, connections, active, options.requests, options.rate)

    keys = [(name, connections) for name in names for connections in held]
    made = rounds.interleaved(keys, options.rounds, options.seed, measure)
    rows = []
    for name, connections in keys:
        ratio = made.ratio((name, connections), (name, held[0]), strategies.total_us)
        against = "1" if connections == held[0] else rounds.shown(ratio)
        rows.append([f"{name}, {connections:,}", strategies.middle(made.of((name, connections))), against])
    load = f"{options.active:,} active, {options.requests:,} requests a round"
    kind = f"Open loop, {options.rate:,} requests/s" if options.rate else "Closed loop"
    title = f"{kind}: {load}, {options.rounds} rounds; medians, and the ratio with its 95 % interval."
    columns = ["strategy, held", "CPU µs/request", f"÷ at {held[0]:,} (95 %)"]
    common.table(title, columns, rows)
    made.explain()


if __name__ == "__main__":
    main()
