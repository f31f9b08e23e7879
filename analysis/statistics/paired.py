"""By which factor two things differ that were measured side by side, block after block, and how sure that is.

A block holds one measurement of each, taken soon after the other, so that what the machine does meanwhile meets both.
The unit is the block: its ratio, as a logarithm, so that half and double weigh the same. Nothing is assumed of how the
blocks differ from each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy

SIGNED_RANK_FROM = 6  # blocks: the fewest with which a signed-rank interval can reach 95 %
MOST_LOG = 709.0  # of a double
NO_SPREAD = 1e-12  # of logarithms: what is left where equal numbers were divided


@dataclass(frozen=True)
class Estimate:
    """A value, and the interval that covers the true one with `confidence`."""

    value: float
    low: float
    high: float
    confidence: float  # what the interval truly has, which may be a little more than was asked for
    n: int  # blocks, or of two groups the smaller
    method: str


def ratio(
    ours: Sequence[float], theirs: Sequence[float], confidence: float = 0.95, strictest: float | None = None
) -> Estimate:
    """The factor between ours and theirs, ours ÷ theirs, from one pair of each block.

    From six blocks on it is Hodges and Lehmann's, with the exact signed-rank interval: the ratios of the blocks must
    spread evenly to both sides, on a logarithmic scale, and may have outliers. With fewer no such interval reaches
    95 %, and it is the geometric mean with Student's interval: the logarithms must be roughly normal. One block says
    nothing of how much blocks differ, and its interval is everything.

    Who asks several confidences of the same blocks names the strictest each time: the method is one that can give all
    of them, so that no two of its answers contradict each other.
    """
    logs = _logs(ours, theirs, confidence)
    if len(logs) == 1:
        return Estimate(math.exp(logs[0]), 0.0, math.inf, 1.0, 1, "one block")
    return shift(logs, max(confidence, strictest or 0)).estimate(confidence)


def shift(logs: Sequence[float], strictest: float) -> Shift:
    """Of the logarithms of the ratios of two blocks or more, by a method that can give this confidence."""
    n = len(logs)
    t = (float(np.mean(logs)), _standard_error(logs), n - 1)
    if rank(n, strictest):
        return Shift(n, "Hodges-Lehmann, signed-rank", t, means_of_two(np.asarray(logs)), signed_rank_below(n))
    return Shift(n, "geometric mean, Student's t", t)


def rank(n: int, confidence: float) -> int:
    """Which mean of two, from either end, is the end of the interval of n blocks; 0 where that is Student's instead."""
    return place(signed_rank_below(n), confidence) if n >= SIGNED_RANK_FROM else 0


def _logs(ours: Sequence[float], theirs: Sequence[float], confidence: float) -> list[float]:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    if not len(ours) or min(*ours, *theirs) <= 0 or not math.isfinite(math.fsum([*ours, *theirs])):
        raise ValueError("a ratio needs at least one block, and finite numbers above 0")
    return [math.log(a / b) for a, b in zip(ours, theirs, strict=True)]


def factor(log: float) -> float:
    """The factor of a logarithm: exactly 1 where only rounding parts it from that, inf beyond what a double holds."""
    if abs(log) <= NO_SPREAD:
        return 1.0
    return math.exp(log) if log < MOST_LOG else math.inf


@dataclass(frozen=True)
class Shift:
    """Two ways to say by how much logarithms are shifted: that of ranks is used where it is given.

    `t`: the mean, its standard error and the degrees of freedom of that, for Student's t.

    `means`: in order, all means of two values, each with itself among them; of two groups all differences. Their median
    is the shift (Hodges and Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34,
    1963), and its interval lies between the k-th of them from either end, with the largest k that keeps the confidence
    (Tukey's; Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3rd ed. 2014, sections 3.3 and 4.3).
    `below`: the law of how many lie on the wrong side of the truth, as P(fewer than k) for every k from 0 on.
    """

    n: int
    method: str
    t: tuple[float, float, float]
    means: np.ndarray | None = None
    below: np.ndarray | None = None

    def estimate(self, confidence: float) -> Estimate:
        """The factor, and the interval that has at least this confidence."""
        if self.means is not None and self.below is not None:
            k = place(self.below, confidence)
            value, low, high = float(np.median(self.means)), float(self.means[k - 1]), float(self.means[-k])
            confidence = encloses(self.below, k)
        else:
            value, low, high = within_t(*self.t, confidence)
        return Estimate(factor(value), factor(low), factor(high), confidence, self.n, self.method)

    @property
    def p(self) -> float:
        """Two-sided, of no shift at all."""
        if self.means is not None and self.below is not None:
            # As many lie on the far side of no shift as the law's count must stay below.
            far = min(np.count_nonzero(self.means <= NO_SPREAD), np.count_nonzero(self.means >= -NO_SPREAD))
            return 1 - encloses(self.below, int(far) + 1)
        mean, error, freedom = self.t
        if error <= NO_SPREAD:
            return 1.0 if abs(mean) <= NO_SPREAD else 0.0
        return float(2 * scipy.special.stdtr(freedom, -abs(mean) / error))


def encloses(below: np.ndarray, k: int) -> float:
    """With which probability the k-th from either end encloses the shift: 1 - 2 P(fewer than k)."""
    return max(0.0, 1 - 2 * float(below[min(k, len(below) - 1)]))


def place(below: np.ndarray, confidence: float) -> int:
    """The largest k that keeps the confidence; 0 where none does."""
    return int(np.count_nonzero(1 - 2 * below[1:] >= confidence))


def means_of_two(values: np.ndarray) -> np.ndarray:
    """All means of two values, each with itself among them, in order; of each row where there are several."""
    first, second = _pairs(values.shape[-1])
    return np.sort((values[..., first] + values[..., second]) / 2, axis=-1)


@lru_cache(maxsize=256)
def _pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.triu_indices(n)
    return first, second


@lru_cache(maxsize=256)
def signed_rank_below(n: int) -> np.ndarray:
    """P(T < k) for every k from 0 on, exact where no two values tie.

    T is Wilcoxon's signed-rank sum: of the ranks 1 to n each is in it or not, with equal probability, so the sets of
    ranks with each sum are counted ("Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945).
    """
    share = np.zeros(n * (n + 1) // 2 + 1)  # the probability of each sum of the ranks so far
    share[0] = 1.0
    for rank in range(1, n + 1):
        with_it = np.zeros_like(share)
        with_it[rank:] = share[:-rank]
        share = (share + with_it) / 2
    return np.concatenate([[0.0], np.cumsum(share)])


def student(values: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """The mean, and the ends of its interval (Student, "The probable error of a mean", Biometrika 6, 1908)."""
    return within_t(float(np.mean(values)), _standard_error(values), len(values) - 1, confidence)


def within_t(mean: float, error: float, freedom: float, confidence: float) -> tuple[float, float, float]:
    """The mean, and the ends of its interval by Student's t; without a spread they are one."""
    half = t_within(confidence, freedom) * error if error > NO_SPREAD else 0.0
    return mean, mean - half, mean + half


def _standard_error(values: Sequence[float]) -> float:
    spread = float(np.std(values, ddof=1))
    return spread / math.sqrt(len(values)) if spread > NO_SPREAD else 0.0


@lru_cache(maxsize=4096)
def t_within(probability: float, freedom: float) -> float:
    """The t below which |t| stays with this probability."""
    return float(scipy.special.stdtrit(freedom, (1 + probability) / 2))
