"""Capacity: the highest offered rate at which an objective is still met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.statistics.interval import centre
from analysis.statistics.paired import Estimate

LEAST_ACHIEVED = 0.98  # of the planned requests answered: below that a rate was not carried, whatever the others say


@dataclass(frozen=True)
class Rung:
    """One offered rate of one block: the objective's percentile (inf where it lies among the unanswered), and the share
    of the planned requests that were answered."""

    rate_per_s: float
    response_ns: float
    achieved: float


@dataclass(frozen=True)
class Capacity:
    """`estimate` in requests/s; `is_bounded` is false where the highest rate tested still meets the objective."""

    estimate: Estimate
    is_bounded: bool


def of_block(rungs: Sequence[Rung], limit_ns: float) -> tuple[float, bool] | None:
    """Where the percentile first crosses the limit, interpolated between the two rates in logarithms of both (a
    straight line there is a power law); and whether it crosses at all. None where the lowest rate misses it already."""
    below: Rung | None = None
    for rung in sorted(rungs, key=lambda one: one.rate_per_s):
        if rung.response_ns <= limit_ns and rung.achieved >= LEAST_ACHIEVED:
            below = rung
            continue
        if below is None:
            return None
        if not math.isfinite(rung.response_ns) or rung.response_ns <= limit_ns:
            return below.rate_per_s, True  # nothing to interpolate towards
        share = math.log(limit_ns / below.response_ns) / math.log(rung.response_ns / below.response_ns)
        return below.rate_per_s * (rung.rate_per_s / below.rate_per_s) ** share, True
    return (below.rate_per_s, False) if below else None


def capacity(blocks: Sequence[Sequence[Rung]], limit_ns: float) -> Capacity | None:
    """Over the blocks, each with its own crossing (one summary for each unit, as in scaling.exponent) and the interval
    of interval.centre; None where a block misses the objective at its lowest rate or there is none. A rate whose
    percentile rests on too few requests (nan) does not count."""
    told = [[rung for rung in rungs if not math.isnan(rung.response_ns)] for rungs in blocks]
    found = [of_block(rungs, limit_ns) for rungs in told if rungs]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    return Capacity(centre([rate for rate, _ in known]), all(crossed for _, crossed in known))
