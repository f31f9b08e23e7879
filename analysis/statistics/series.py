"""Whether what was measured one after another is of one kind (stationary) and each for itself (independent)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import mannwhitneyu, norm, rankdata

EXACT_UP_TO = 20  # values of a half, for the exact law of U
FEWEST = 10  # values for which the normal law of the rank ratio is close


def moved(values: npt.NDArray[np.float64], p: float = 0.01) -> float:
    """The share by which the second half's median differs from the first's, where that is beyond chance; else 0.

    Beyond chance: Mann-Whitney U of the two halves, two-sided (H. B. Mann and D. R. Whitney, 1947; scipy.stats), exact
    up to 20 values in each. The middle one of an odd number belongs to no half; what is nan is left out.
    """
    known = values[~np.isnan(values)]
    half = len(known) // 2
    if half < 2 or not np.isfinite(known[:half]).all():
        return 0.0
    method = "exact" if half <= EXACT_UP_TO else "asymptotic"
    if mannwhitneyu(known[:half], known[-half:], method=method).pvalue >= p:
        return 0.0
    before, after = float(np.median(known[:half])), float(np.median(known[-half:]))
    return after / before - 1 if before > 0 else 0.0


def succession(values: Sequence[float]) -> tuple[float, float]:
    """How much each value resembles the one before it: the correlation of ranks, and the one-sided p of independence.

    Von Neumann's ratio of ranks, sum((R[i] - R[i+1])²) / sum((R[i] - mean)²): 2 where the values are independent, less
    where neighbours are alike (R. Bartels, JASA 77, 1982, with his variance and the normal law). The correlation is
    1 - ratio / 2. (nan, nan) below ten values or where all are one.
    """
    n = len(values)
    if n < FEWEST:
        return math.nan, math.nan
    ranks = rankdata(values)
    around = float(((ranks - ranks.mean()) ** 2).sum())
    if around == 0:
        return math.nan, math.nan
    ratio = float((np.diff(ranks) ** 2).sum()) / around
    variance = 4 * (n - 2) * (5 * n**2 - 2 * n - 9) / (5 * n * (n + 1) * (n - 1) ** 2)
    return 1 - ratio / 2, float(norm.cdf((ratio - 2) / math.sqrt(variance)))
