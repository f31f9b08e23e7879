"""By which factor two things differ that were measured side by side, block after block, and how sure that is.

A block holds one measurement of each, taken soon after the other, so that what the machine does meanwhile meets both.
The unit is the block: its ratio, as a logarithm, so that half and double weigh the same. Nothing is assumed of how the
blocks differ from each other.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

SIGNED_RANK_FROM = 6  # blocks: the fewest with which a signed-rank interval can reach 95 %
BISECTIONS = 200  # more than a double has bits


@dataclass(frozen=True)
class Estimate:
    """A value, and the interval that covers the true one with `confidence`."""

    value: float
    low: float
    high: float
    confidence: float  # what the interval truly has, which may be a little more than was asked for
    n: int  # blocks
    method: str


def ratio(ours: Sequence[float], theirs: Sequence[float], confidence: float = 0.95) -> Estimate:
    """The factor between ours and theirs, ours ÷ theirs, from one pair of each block.

    From six blocks on it is Hodges and Lehmann's, with the exact signed-rank interval: the ratios of the blocks must
    spread evenly to both sides, on a logarithmic scale, and may have outliers. With fewer no such interval reaches
    95 %, and it is the geometric mean with Student's interval: the logarithms must be roughly normal. One block says
    nothing of how much blocks differ, and its interval is everything.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    if not ours or min(*ours, *theirs) <= 0 or not math.isfinite(math.fsum([*ours, *theirs])):
        raise ValueError("a ratio needs at least one block, and finite numbers above 0")
    logs = [math.log(a / b) for a, b in zip(ours, theirs, strict=True)]
    n = len(logs)
    if n == 1:
        return Estimate(math.exp(logs[0]), 0.0, math.inf, 1.0, n, "one block")
    if n >= SIGNED_RANK_FROM and signed_rank_confidence(n, 1) >= confidence:
        value, low, high, confidence = hodges_lehmann(logs, confidence)
        method = "Hodges-Lehmann, signed-rank"
    else:
        value, low, high = student(logs, confidence)
        method = "geometric mean, Student's t"
    return Estimate(math.exp(value), math.exp(low), math.exp(high), confidence, n, method)


def hodges_lehmann(values: Sequence[float], confidence: float) -> tuple[float, float, float, float]:
    """The pseudo-median, the ends of its interval, and the confidence that this has.

    The pseudo-median is the median of all means of two values, each with itself among them (Hodges and Lehmann,
    "Estimates of location based on rank tests", Annals of Mathematical Statistics 34, 1963). The interval lies between
    the k-th of these means from either end, with the largest k that keeps the confidence (Tukey's; Hollander, Wolfe and
    Chicken, "Nonparametric Statistical Methods", 3rd ed. 2014, section 3.3).
    """
    n = len(values)
    means = sorted((values[i] + values[j]) / 2 for i in range(n) for j in range(i, n))
    k = 1
    if signed_rank_confidence(n, k) < confidence:
        raise ValueError(f"no signed-rank interval of {n} values has a confidence of {confidence}")
    while signed_rank_confidence(n, k + 1) >= confidence:
        k += 1
    return statistics.median(means), means[k - 1], means[-k], signed_rank_confidence(n, k)


def signed_rank_confidence(n: int, k: int) -> float:
    """With which probability the k-th mean of two from either end encloses the centre.

    That is 1 - 2 P(T < k), T being Wilcoxon's signed-rank sum: of the ranks 1 to n each is in it or not, with equal
    probability, so the sets of ranks with each sum are counted (Wilcoxon, "Individual comparisons by ranking methods",
    Biometrics Bulletin 1, 1945). Exact where no two values tie.
    """
    sets = [1] + [0] * (k - 1)  # how many sets of the ranks so far have the sum 0, 1, … k - 1
    for rank in range(1, n + 1):
        for total in range(k - 1, rank - 1, -1):
            sets[total] += sets[total - rank]
    return max(0.0, 1 - 2 * sum(sets) / (1 << n))


def student(values: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """The mean, and the ends of its interval (Student, "The probable error of a mean", Biometrika 6, 1908)."""
    n = len(values)
    mean = statistics.fmean(values)
    half = t_within(confidence, n - 1) * statistics.stdev(values) / math.sqrt(n)
    return mean, mean - half, mean + half


def t_within(probability: float, freedom: int) -> float:
    """The t below which |t| stays with this probability, found by bisection."""
    low, high = 0.0, 1.0
    while t_probability(high, freedom) < probability:
        low, high = high, 2 * high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, freedom) < probability else (low, middle)
    return high


def t_probability(t: float, freedom: int) -> float:
    """P(|T| < t) of Student's distribution, for whole degrees of freedom a finite sum.

    Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    terms = [term] if freedom > 1 else []
    for factor in range(1 + odd, freedom - 2, 2):
        term *= factor / (factor + 1) * math.cos(angle) ** 2
        terms.append(term)
    sine = math.sin(angle) * math.fsum(terms)
    return 2 / math.pi * (angle + sine) if odd else sine
