"""Where the centre of a few repetitions lies, and how sure that is.

The unit is the repetition, never the request. A repetition may be inf (a percentile among the requests that were never
answered); then the centre or an end of the interval may be so too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy

from analysis.statistics.paired import Estimate, factor, student

STUDENT_FROM = 3  # repetitions: of two the interval would be ten times as wide as they are apart
ORDER_FROM = 6  # repetitions: the fewest whose whole range covers the median with 95 %


def centre(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """The centre of the repetitions by the method that their number allows.

    From six on the median with the interval of order statistics, which assumes nothing of their shape. Below that the
    geometric mean with Student's interval of the logarithms, which must be roughly normal; plain numbers where one is
    not above 0. Two have their range (and their geometric mean), one has no interval.
    """
    if not len(values) or any(math.isnan(value) for value in values):
        raise ValueError("a centre needs at least one repetition, and numbers")
    n = len(values)
    if n == 1:
        return Estimate(values[0], math.nan, math.nan, math.nan, n, "one repetition")
    if n >= ORDER_FROM and 1 - 2.0 ** (1 - n) >= confidence:  # what the whole range covers
        low, high = order_statistics(values, confidence)
        return Estimate(median(values), low, high, confidence, n, "median, order statistics")
    if n < STUDENT_FROM or not all(map(math.isfinite, values)):
        # A deviation of two says nothing, beyond the timeout no mean has a meaning; what the extremes cover is known.
        value = math.sqrt(math.prod(values)) if n < STUDENT_FROM and 0 < min(values) <= max(values) < math.inf else None
        value = median(values) if value is None else value
        return Estimate(value, min(values), max(values), 1 - 2.0 ** (1 - n), n, "range")
    if min(values) <= 0:
        return Estimate(*student(values, confidence), confidence, n, "mean, Student's t, small n")
    value, low, high = (factor(log) for log in student([math.log(value) for value in values], confidence))
    return Estimate(value, low, high, confidence, n, "geometric mean, Student's t, small n")


def median(values: Sequence[float]) -> float:
    """The middle one, or half way between the two; inf counts as the largest."""
    ordered = sorted(values)
    return between(ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2], 0.5)


def middle(values: Sequence[float]) -> float:
    """The geometric mean; of values that have none the median."""
    if min(values) <= 0 or math.isinf(max(values)):
        return median(values)
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def between(a: float, b: float, share: float) -> float:
    """So far on the way from a to b; without arithmetic where they are one or there is no way to go."""
    return a if share == 0 or a == b else b if share == 1 else (1 - share) * a + share * b


def order_statistics(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """The interval of the median, between the d-th and the (d+1)-th value from either end.

    From the d-th on either side the confidence is 1 - 2 P(B < d), B binomial of n throws of a coin; what lies between
    two such is interpolated, for nearly the nominal confidence whatever the shape (Hettmansperger and Sheather,
    "Confidence intervals based on interpolated order statistics", Statistics & Probability Letters 4, 1986; how near:
    Nyblom, "Note on interpolated order statistics", Statistics & Probability Letters 14, 1992).
    """
    d, share = _place(len(values), confidence)
    ordered = sorted(values)
    low = between(ordered[d - 1], ordered[d], share)
    return low, between(ordered[-d], ordered[-d - 1], share)


@lru_cache(maxsize=1024)
def _place(n: int, confidence: float) -> tuple[int, float]:
    """d, and the share of the way from the d-th to the (d+1)-th value.

    ValueError where even the whole range has not that confidence.
    """
    # P(B < d) of a fair coin: bdtr(k, n, p) is P(B ≤ k).
    covered = 1 - 2 * scipy.special.bdtr(np.arange(0, (n + 1) // 2), n, 0.5)
    d = int(np.count_nonzero(covered >= confidence))
    if d == 0:
        raise ValueError(f"no order statistics of {n} values have a confidence of {confidence}")
    inner = float(covered[d]) if d < len(covered) else 0.0
    part = (float(covered[d - 1]) - confidence) / (float(covered[d - 1]) - inner)
    return d, (n - d) * part / (d + (n - 2 * d) * part)
