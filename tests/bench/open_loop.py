"""Does every strategy serve an open loop without a loss? (issue 4, figure 3: 10,000 connections, 10,000 requests/s.)

Lost is what was planned and has no right answer, and mismatched what has a wrong one: sums over the rounds. Percentiles
are of all planned requests, from their intended time, and > 5 s where they fall among the lost. A strategy that reaches
a limit shows the most connections it held, and no load is offered to it.
"""

import argparse
from dataclasses import dataclass
from fractions import Fraction
from math import isinf

from analysis import histograms
from server import slots
from tests.bench import common, rounds, strategies

PERCENTS = ("50", "99")
TIMEOUT_S = 5


@dataclass(frozen=True)
class Found:
    """Of one round; `limit` is what kept the strategy from holding all the connections."""

    held: int
    limit: str = ""
    lost: int = 0
    mismatched: int = 0
    percentiles_ms: tuple[float, ...] = ()
    remark: str = ""


def opened(options: argparse.Namespace, name: str) -> Found:
    with strategies.serving(name, options.workers) as server:
        try:
            report = common.generate(
                server.target, c=options.connections, r=options.rate, d=f"{options.duration}s", arrival=options.arrival,
                timeout=f"{TIMEOUT_S}s", arm_timeout="60s", timeout_s=strategies.PATIENCE_S + options.duration,
            )  # fmt: skip
        except common.Unmeasured:
            limits = server.stats.limits()
            if not limits:
                raise
            return Found(server.stats.total(slots.PEAK), ", ".join(slots.RESOURCES[one] for one in sorted(limits)))
        held = server.stats.total(slots.PEAK)
    totals = report.done["totals"].values()
    wrong = sum(one["mismatched"] for one in totals) + report.done["surplus"]
    lost = sum(one["planned"] - one["answered"] - one["mismatched"] for one in totals)
    responses, planned = report.response(), report.load["planned"]
    percentiles = (histograms.percentile_ns(responses, planned, Fraction(one)) / common.NS_PER_MS for one in PERCENTS)
    return Found(held, "", lost, wrong, tuple(percentiles), " ".join(report.json["reasons"]) if report.exit else "")


def milliseconds(value: float) -> str:
    return f"> {TIMEOUT_S} s" if isinf(value) else common.figure(value)


def row(name: str, found: list[Found]) -> list[str]:
    held = f"{min(one.held for one in found):,}" if found else "–"
    limits = sorted({one.limit for one in found if one.limit})
    served = [one for one in found if not one.limit]
    if limits or not served:
        return [name, f"{held} ({', '.join(limits)})" if limits else held, *["–"] * (2 + 2 * len(PERCENTS))]
    cells = [name, held, f"{sum(one.lost for one in served):,}", f"{sum(one.mismatched for one in served):,}"]
    for values in zip(*(one.percentiles_ms for one in served), strict=True):
        cells += [milliseconds(min(values)), milliseconds(common.median(values))]
    return cells


def main() -> None:
    options, names = strategies.begin(strategies.parser(
        __doc__, rounds=5, strategies="c_epoll,epoll_raw,io_uring,epoll", connections=10_000, rate=10_000, duration=10,
        arrival="poisson",
    ))  # fmt: skip
    made = rounds.interleaved(names, options.rounds, options.seed, lambda name: opened(options, name))
    load = f"{options.connections:,} connections, {options.rate:,} requests/s, {options.arrival}, {options.duration} s"
    title = f"Open loop: {load}, {options.rounds} rounds; ms from the intended time, best and median of the rounds."
    percentiles = [f"p{percent} {which}" for percent in PERCENTS for which in ("best", "median")]
    columns = ["strategy", "held, least", "lost", "mismatched", *percentiles]
    common.table(title, columns, [row(name, made.of(name)) for name in names])
    made.explain()
    for name in names:
        for remark in dict.fromkeys(one.remark for one in made.of(name) if one.remark):
            print(f"\n{name}: {remark}")


if __name__ == "__main__":
    main()
