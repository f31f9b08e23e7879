"""Capacity: the highest offered rate up to which an objective is met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.statistics.interval import centre
from analysis.statistics.paired import Estimate
from contracts.judge import LEAST_ANSWERED


@dataclass(frozen=True)
class Rung:
    """One offered rate of one block: the objective's percentile (inf where it lies among the unanswered), and the share
    of the planned requests that were answered."""

    rate_per_s: float
    response_ns: float
    achieved: float

    def meets(self, limit_ns: float) -> bool:
        return self.response_ns <= limit_ns and self.achieved >= LEAST_ANSWERED


@dataclass(frozen=True)
class Knee:
    """Where one block first misses the objective on the way up: the rates on either side (nan: none was tried) and
    `rate_per_s` between them. `again_per_s`: the highest rate beyond that met it all the same; nan: none."""

    below_per_s: float
    above_per_s: float
    rate_per_s: float
    again_per_s: float = math.nan


@dataclass(frozen=True)
class Capacity:
    """`estimate` in requests/s, nan where some block misses the objective at its lowest rate; `is_bounded` is false
    where some block never misses it. `below` and `above`: highest rate below which no block misses, lowest one that
    misses; `again`: the highest that met it beyond a miss; requests/s, nan where there is none."""

    estimate: Estimate
    is_bounded: bool
    below_per_s: float
    above_per_s: float
    again_per_s: float


def of_block(rungs: Sequence[Rung], limit_ns: float) -> Knee | None:
    """The first miss on the way up, interpolated between the two rates in logarithms of both (a straight line there is
    a power law). What meets the objective beyond it does not count: a rate is carried where all below it are. None
    without a rung."""
    ordered = sorted((rung for rung in rungs if not math.isnan(rung.response_ns)), key=lambda one: one.rate_per_s)
    if not ordered:
        return None
    first = next((i for i, rung in enumerate(ordered) if not rung.meets(limit_ns)), len(ordered))
    again = max((rung.rate_per_s for rung in ordered[first:] if rung.meets(limit_ns)), default=math.nan)
    below, above = ordered[first - 1] if first else None, ordered[first] if first < len(ordered) else None
    if below is None:
        return Knee(math.nan, ordered[0].rate_per_s, math.nan, again)
    if above is None:
        return Knee(below.rate_per_s, math.nan, below.rate_per_s)
    rate = below.rate_per_s
    if math.isfinite(above.response_ns) and above.response_ns > limit_ns:  # else there is nothing to go towards
        share = math.log(limit_ns / below.response_ns) / math.log(above.response_ns / below.response_ns)
        rate *= (above.rate_per_s / below.rate_per_s) ** share
    return Knee(below.rate_per_s, above.rate_per_s, rate, again)


def capacity(blocks: Sequence[Sequence[Rung]], limit_ns: float) -> Capacity | None:
    """Over the blocks, each with its own knee (one summary for each unit) and the interval of interval.centre. A rate
    whose percentile rests on too few requests (nan) does not count; None where no block has another."""
    knees = [knee for rungs in blocks if (knee := of_block(rungs, limit_ns)) is not None]
    if not knees:
        return None
    rates = [knee.rate_per_s for knee in knees]
    known = not any(map(math.isnan, rates))
    missed = Estimate(math.nan, math.nan, math.nan, math.nan, 0, "missed by some block at once")
    return Capacity(
        centre(rates) if known else missed,
        is_bounded=not any(math.isnan(knee.above_per_s) for knee in knees),
        below_per_s=min((knee.below_per_s for knee in knees), default=math.nan) if known else math.nan,
        above_per_s=min((k.above_per_s for k in knees if not math.isnan(k.above_per_s)), default=math.nan),
        again_per_s=max((k.again_per_s for k in knees if not math.isnan(k.again_per_s)), default=math.nan),
    )
