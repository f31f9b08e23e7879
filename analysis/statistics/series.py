"""Tests of what was measured one after another: is it of one kind (stationary), is each for itself (independent)?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis.statistics.unpaired import mann_whitney_confidence

EXACT_UP_TO = 20  # values of a half, for the exact law of U
FEWEST = 10  # values for which the normal law of the rank ratio is close; pieces through which a line is drawn
PIECES = 24  # of a long window: of five minutes each in two hours


def moved(values: npt.NDArray[np.float64], p: float = 0.01) -> float:
    """The share by which the second half's median differs from the first's, where that is beyond chance; else 0.

    Beyond chance: Mann-Whitney U of the two halves, two-sided (H. B. Mann and D. R. Whitney, 1947; scipy.stats), exact
    up to 20 values in each. The middle one of an odd number belongs to no half; what is nan is left out.
    """
    known = values[~np.isnan(values)]
    half = len(known) // 2
    if half < 2 or not np.isfinite(known[:half]).all():
        return 0.0
    if _p_value(known[:half], known[-half:]) >= p:
        return 0.0
    before, after = float(np.median(known[:half])), float(np.median(known[-half:]))
    return after / before - 1 if before > 0 else 0.0


def _p_value(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Of Mann and Whitney's test, two-sided. The exact law counts a tie as one half of a pair, and rounds down."""
    if len(first) > EXACT_UP_TO:
        from scipy.stats import mannwhitneyu  # which takes a second to import

        return float(mannwhitneyu(first, second, method="asymptotic").pvalue)
    signs = np.sign(np.subtract.outer(first, second))
    pairs, above = signs.size, float((signs > 0).sum() + (signs == 0).sum() / 2)
    most = math.floor(max(above, pairs - above))
    return 1 - mann_whitney_confidence(len(first), len(second), pairs - most + 1)


@dataclass(frozen=True)
class Slope:
    """A straight line's rise per unit of time, with its 95 % interval, through the means of so many pieces."""

    value: float
    low: float
    high: float
    pieces: int


def slope(times: npt.NDArray[np.float64], values: npt.NDArray[np.float64], pieces: int = PIECES) -> Slope | None:
    """The rise of `values` over `times`; None where fewer than FEWEST of the pieces of equal time have a value.

    By least squares, with the t law. Neighbours are alike, which would make the interval too narrow; the means of long
    pieces are alike less.
    """
    known = np.isfinite(values) & np.isfinite(times)
    times, values = times[known], values[known]
    if len(times) < FEWEST or times.max() == times.min():
        return None
    places = np.minimum((times - times.min()) / (times.max() - times.min()) * pieces, pieces - 1).astype(int)
    filled = np.unique(places)
    if len(filled) < FEWEST:
        return None
    t, y = (np.array([one[places == place].mean() for place in filled]) for one in (times, values))
    t = t - t.mean()
    value = float((t * y).sum() / (t**2).sum())
    left = y - y.mean() - value * t
    error = math.sqrt(float((left**2).sum()) / (len(t) - 2) / float((t**2).sum()))
    half = float(scipy.stats.t.ppf(0.975, len(t) - 2)) * error
    return Slope(value, value - half, value + half, len(t))


def succession(values: Sequence[float]) -> tuple[float, float]:
    """How much each value resembles the one before it: the correlation of ranks, and the one-sided p of independence.

    Von Neumann's ratio of ranks, sum((R[i] - R[i+1])²) / sum((R[i] - mean)²): 2 where the values are independent, less
    where neighbours are alike (R. Bartels, JASA 77, 1982, with his variance and the normal law). The correlation is
    1 - ratio / 2. (nan, nan) below ten values or where all are one.
    """
    n = len(values)
    if n < FEWEST:
        return math.nan, math.nan
    ranks = pd.Series(values, dtype=float).rank().to_numpy()
    around = float(((ranks - ranks.mean()) ** 2).sum())
    if around == 0:
        return math.nan, math.nan
    ratio = float((np.diff(ranks) ** 2).sum()) / around
    variance = 4 * (n - 2) * (5 * n**2 - 2 * n - 9) / (5 * n * (n + 1) * (n - 1) ** 2)
    return 1 - ratio / 2, float(scipy.special.ndtr((ratio - 2) / math.sqrt(variance)))
