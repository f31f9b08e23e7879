"""How long it takes to arm (issue 3, figure 5: 10,000 connections in at most 3 s, paced, no failure).

Armed is a connection that stands and has answered one verified echo.
"""

from tests.bench import common


def main() -> None:
    options = common.begin(common.parser(
        __doc__, rounds=5, connections=10_000, connect_rate="5000,burst", workers=1, processes=1, sources="",
        engines="epoll,goroutine",
    ))  # fmt: skip
    cells = [(tool, rate) for tool in options.engines.split(",") for rate in options.connect_rate.split(",")]
    armed: dict[tuple[str, str], list[dict[str, float]]] = {cell: [] for cell in cells}
    sources = {"source": options.sources} if options.sources else {}
    for _ in range(options.rounds):
        for tool, rate in cells:
            with common.serving("c_echo", options.workers) as server:
                found = common.generate(
                    server.target, c=options.connections, r=1000, d="1s", warmup="0s", connect_rate=rate, engine=tool,
                    processes=options.processes, **sources,
                )  # fmt: skip
            one = found.json["armed"]
            armed[tool, rate].append({
                "s": one["arm_s"], "verified": one["verified"], "failed": sum(one["failed"].values()),
                "retries": one["retries"], "syn": sum(one["syn_retries"].values()),
            })  # fmt: skip
    rows = []
    for tool, rate in cells:
        seconds = [one["s"] for one in armed[tool, rate]]
        counts = [f"{sum(one[name] for one in armed[tool, rate]):,}" for name in ("failed", "retries", "syn")]
        verified = min(one["verified"] for one in armed[tool, rate])
        shown = [common.figure(value) for value in (common.median(seconds), min(seconds), max(seconds))]
        rows.append([f"{tool}, {rate}", *shown, f"{verified:,}", *counts])
    title = f"Arming {options.connections:,} connections, {options.rounds} rounds; counts are sums over the rounds."
    columns = ["engine, connects/s", "median s", "best", "worst", "verified, least", "failed", "retries", "SYN retries"]
    common.table(title, columns, rows)


if __name__ == "__main__":
    main()
