"""How a figure grows with a size: a constant, a straight line, neither, or unclear; never further than measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.interval import centre
from analysis.statistics.paired import Estimate, student

LEAST_LEVELS = 3  # two points lie on any line
LEAST_BLOCKS = 3  # with fewer nobody can say whether a slope is one
NO_SLOPE = 1e-9  # of the figure over all sizes: what is left where equal numbers are fitted
MOST_MISFIT = 0.1  # of the figure: what lies further from a line does not lie on it
CONFIDENCE = 0.95

Block = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class Growth:
    """What (size, figure) of several blocks say. `slope`: figure for each unit of size, of the best a + b·size of each
    block; `local`: the slope from each size to the next. `model`: constant, line, neither or unclear. `start` +
    `rise`·size is what fits: the mean of the sizes, or the blocks' mean line (else nan); `misfit`: the furthest that a
    size lies from it (of no fit: from the line), a share of the figure."""

    slope: Estimate
    start: float
    rise: float
    misfit: float
    local: tuple[float, ...]
    model: str


def growth(blocks: Sequence[Block], confidence: float = CONFIDENCE) -> Growth | None:
    """None where no block has three sizes.

    Each block gives one line, by least squares on the figures' ratios to it (a figure's error is a share of it); the
    block is the unit (J. N. S. Matthews et al., "Analysis of serial measurements in medical research", BMJ 300, 1990).
    A constant fits where no size lies further than MOST_MISFIT from the mean and the slope's interval holds 0, which is
    asked of LEAST_BLOCKS blocks or more (the range of two leaves 0 out by chance every other time); else a line, where
    none lies further from it. Where one does, the law is unclear as long as the interval of each size holds one of the
    two: what the repetitions differ by hides it. Figures that are not finite and above 0 are left out.
    """
    told = [_points(sizes, figures) for sizes, figures in blocks]
    known = [points for points in told if len({size for size, _ in points}) >= LEAST_LEVELS]
    if not known:
        return None
    lines = [_line(points) for points in known]
    slope = _slope([b for _, b in lines], confidence)
    sizes = sorted({size for points in known for size, _ in points})
    means = {s: float(np.mean([f for points in known for size, f in points if size == s])) for s in sizes}
    a, b = (float(np.mean(part)) for part in zip(*lines, strict=True))
    misfit = max(abs(means[s] - (a + b * s)) / means[s] for s in sizes)
    flat = float(np.mean(list(means.values())))
    off = max(abs(mean - flat) / flat for mean in means.values())
    rounding = NO_SLOPE * flat / sizes[-1]
    is_flat = off <= MOST_MISFIT
    is_flat &= len(lines) < LEAST_BLOCKS or slope.low - rounding <= 0 <= slope.high + rounding
    local = tuple((means[v] - means[u]) / (v - u) for u, v in itertools.pairwise(sizes))
    if is_flat:
        return Growth(slope, flat, 0.0, off, local, "constant")
    if misfit <= MOST_MISFIT:
        return Growth(slope, a, b, misfit, local, "line")
    spans = {s: centre([f for points in known for size, f in points if size == s]) for s in sizes}
    if any(all(not spans[s].low > fit(s) and not spans[s].high < fit(s) for s in sizes)
           for fit in (lambda _: flat, lambda s: a + b * s)):  # fmt: skip
        return Growth(slope, math.nan, math.nan, misfit, local, "unclear")
    return Growth(slope, math.nan, math.nan, misfit, local, "neither")


def _points(sizes: Sequence[float], figures: Sequence[float]) -> list[tuple[float, float]]:
    return [(s, f) for s, f in zip(sizes, figures, strict=True) if s > 0 and 0 < f < math.inf]


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """a and b of a + b·size."""
    x, y = np.array(points).T
    b, a = np.polyfit(x, y, 1, w=1 / y)
    return float(a), float(b)


def _slope(slopes: Sequence[float], confidence: float) -> Estimate:
    """Over the blocks; their range below LEAST_BLOCKS."""
    if len(slopes) < LEAST_BLOCKS:
        return centre(slopes)
    return Estimate(*student(slopes, confidence), confidence, len(slopes), "slope per block, Student's t")
