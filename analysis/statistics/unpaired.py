"""By which factor two things differ that were measured at different times: two groups, no pairs.

What changed between the two times is in that factor, and no statistic can take it out again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from analysis.statistics.paired import Estimate, Shift, encloses, factor

RANKED_FROM = 4  # repetitions of each: the fewest with which a Mann-Whitney interval can reach 95 %


def shift(
    ours: Sequence[float], theirs: Sequence[float], confidence: float = 0.95, strictest: float | None = None
) -> Estimate:
    """The factor between ours and theirs, ours ÷ theirs, each a group of repetitions.

    From four of each it is Hodges and Lehmann's, with the exact Mann-Whitney interval: both groups must have the same
    shape, on a logarithmic scale, and may have outliers. With fewer it is the ratio of the geometric means with
    Welch's interval: the logarithms must be roughly normal. One of either says nothing of how much repetitions differ,
    and its interval is everything.

    Who asks several confidences of the same groups names the strictest each time, as of `paired.ratio`.
    """
    a, b = _logs(ours, theirs, confidence)
    if min(len(a), len(b)) == 1:
        return Estimate(factor(float(a.mean() - b.mean())), 0.0, math.inf, 1.0, 1, "one repetition")
    return _shift(a, b, max(confidence, strictest or 0)).estimate(confidence)


def p_value(ours: Sequence[float], theirs: Sequence[float], strictest: float = 0.95) -> float:
    """How often two groups of the same would differ at least this much, to either side.

    It is of the test whose interval `shift` gives: p ≤ α exactly where the interval of confidence 1 - α leaves out 1.
    """
    a, b = _logs(ours, theirs, strictest)
    return _shift(a, b, strictest).p if min(len(a), len(b)) > 1 else 1.0


def _shift(a: np.ndarray, b: np.ndarray, strictest: float) -> Shift:
    n = min(len(a), len(b))
    if n >= RANKED_FROM and mann_whitney_confidence(len(a), len(b), 1) >= strictest:
        differences = np.sort(np.subtract.outer(a, b), axis=None)
        return Shift(n, "Hodges-Lehmann, Mann-Whitney", differences, _mann_whitney_below(len(a), len(b)))
    return Shift(n, "geometric means, Welch's t", t=welch(a, b))


def _logs(ours: Sequence[float], theirs: Sequence[float], confidence: float) -> tuple[np.ndarray, np.ndarray]:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    if not len(ours) or not len(theirs) or min(*ours, *theirs) <= 0 or not math.isfinite(math.fsum([*ours, *theirs])):
        raise ValueError("a ratio needs at least one repetition of each, and finite numbers above 0")
    return np.log(np.asarray(ours, dtype=float)), np.log(np.asarray(theirs, dtype=float))


def cliffs_delta(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How much more often one of ours is above one of theirs than below: from -1 to 1, and 0 without a difference.

    Cliff, "Dominance statistics: ordinal analyses to answer ordinal questions", Psychological Bulletin 114, 1993.
    """
    if not len(ours) or not len(theirs):
        raise ValueError("Cliff's delta needs at least one of each")
    above = np.sign(np.asarray(ours, dtype=float)[:, None] - np.asarray(theirs, dtype=float)[None, :])
    return float(above.mean())


def mann_whitney_confidence(n: int, m: int, k: int) -> float:
    """With which probability the k-th difference from either end, of all n·m, encloses the shift.

    That is 1 - 2 P(U < k), U being Mann and Whitney's count of pairs in which ours is the smaller ("On a test of
    whether one of two random variables is stochastically larger than the other", Annals of Mathematical Statistics 18,
    1947; the interval: Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3rd ed. 2014, section 4.3).
    Exact where no two values tie.
    """
    return encloses(_mann_whitney_below(n, m), k)


@lru_cache(maxsize=256)
def _mann_whitney_below(n: int, m: int) -> np.ndarray:
    """P(U < k) for every k from 0 on.

    Each of ours takes its place among what is there in turn: the i-th can have 0 to m of theirs below it, so the sets
    with each count are the coefficients of the product of (1 - x^(m+i)) / (1 - x^i), here as shares.
    """
    share = np.zeros(n * m + 1)
    share[0] = 1.0
    for i in range(1, n + 1):
        less = share.copy()
        less[m + i :] -= share[: max(0, len(share) - m - i)]
        for start in range(i):
            less[start::i] = np.cumsum(less[start::i])
        share = less * i / (m + i)
    return np.concatenate([[0.0], np.cumsum(share)])


def welch(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """The difference of two means, its standard error, and the degrees of freedom of that: the groups may spread
    differently.

    Welch, "The generalization of Student's problem when several different population variances are involved",
    Biometrika 34, 1947; degrees of freedom after Satterthwaite, Biometrics Bulletin 2, 1946.
    """
    parts = [float(x.var(ddof=1)) / len(x) for x in (a, b)]
    error = math.sqrt(sum(parts))
    squares = sum(part**2 / (len(x) - 1) for part, x in zip(parts, (a, b), strict=True))
    return float(a.mean() - b.mean()), error, sum(parts) ** 2 / squares if squares else math.inf
