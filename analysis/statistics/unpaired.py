"""By which factor two things differ that were measured at different times: two groups, no pairs.

What changed between the two times is in that factor, and no statistic can take it out again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from analysis.statistics.paired import Shift, encloses


def shift(ours: Sequence[float], theirs: Sequence[float]) -> Shift:
    """The factor between ours and theirs, ours ÷ theirs, each a group of two or more: the ratio of their geometric
    means, by Welch's t. The logarithms must be roughly normal, as those of runs are, which are means already.
    """
    a, b = _logs(ours, theirs)
    return Shift(min(len(a), len(b)), "geometric means, Welch's t", welch(a, b))


def _logs(ours: Sequence[float], theirs: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    if min(len(ours), len(theirs)) < 2 or min(*ours, *theirs) <= 0 or not math.isfinite(math.fsum([*ours, *theirs])):
        raise ValueError("a ratio needs at least two of each, and finite numbers above 0")
    return np.log(np.asarray(ours, dtype=float)), np.log(np.asarray(theirs, dtype=float))


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
