"""What a design can see: the smallest difference that paired blocks find often enough, before anything is measured."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pandas as pd
import scipy

from analysis.statistics.paired import Shift, factor, means_of_two, rank, t_within

POWER = 0.8
SIMULATED = 20_000  # experiments: the standard error of what they give is below 1 %
MOST_SIMULATED = 40  # blocks; with more, ranks are as their limit
PITMAN = math.sqrt(3 / math.pi)  # the efficiency of signed ranks where the logarithms are normal


def detectable(n: int, spread: float, confidence: float = 0.95, wanted: float = POWER, *, measured: float = 1) -> float:
    """The smallest difference, as a share, that `paired.ratio` of n blocks tells from none so often; inf: none at all.

    `spread` is the standard deviation of the logarithm of one measurement, beside what its block does to all of them;
    `measured`: how often a block measures the baseline. A pair has √2 of the spread, with a control √1.5; inf: the
    spread is that of the ratio itself, as in a duet. What the difference the wrong way round adds to the power is below
    what a double keeps of it.
    """
    if n < 2:
        return math.inf
    k = rank(n, confidence)
    shift = _shift_of_ranks(n, k, wanted) if k > 0 and n <= MOST_SIMULATED else _shift_of_t(n, confidence, wanted)
    return math.expm1(shift * spread * math.sqrt(1 + 1 / measured))


def found_by(shift: Shift, confidence: float, wanted: float = POWER) -> float:
    """The smallest difference, as a share, that what was measured would have told from none so often, at this
    confidence; inf: none at all."""
    _, error, freedom = shift.t
    if freedom <= 0 or not math.isfinite(error):
        return math.inf
    distance = float(scipy.special.nctdtrinc(freedom, 1 - wanted, t_within(confidence, freedom))) * error
    return factor(distance / (1.0 if shift.means is None else PITMAN)) - 1


def _shift_of_t(n: int, confidence: float, wanted: float) -> float:
    """In standard deviations of a pair: the t of n blocks that differ is noncentral.

    Johnson and Welch, "Applications of the non-central t-distribution", Biometrika 31, 1940. Many signed ranks need a
    little more (Pitman's efficiency: Lehmann, "Nonparametrics", 1975, section 4.3).
    """
    shift = float(scipy.special.nctdtrinc(n - 1, 1 - wanted, t_within(confidence, n - 1))) / math.sqrt(n)
    return shift / PITMAN if rank(n, confidence) else shift


@lru_cache(maxsize=256)
def _shift_of_ranks(n: int, k: int, wanted: float) -> float:
    """The same for the interval that begins at the k-th mean of two.

    A shift moves every mean of two as much, so an experiment finds all shifts larger than its k-th mean is below 0: of
    many without a difference, always the same ones, the share `wanted` is found by the quantile of that.
    """
    draw = np.random.default_rng(n)
    ends = [means_of_two(draw.normal(size=(SIMULATED // 20, n)))[:, k - 1] for _ in range(20)]
    return float(np.quantile(-np.concatenate(ends), wanted))


def residual(measured: pd.DataFrame) -> tuple[float, int]:
    """The sum of squares and the degrees of freedom that are left of `log` after the effects of `block` and `cell`.

    By least squares over both sets of effects, so blocks need not be whole (Scheffé, "The Analysis of Variance", 1959,
    chapter 4).
    """
    if measured.empty:
        return 0.0, 0
    effects = [pd.get_dummies(measured[name].astype(str)).to_numpy(dtype=float) for name in ("block", "cell")]
    design, logs = np.hstack(effects), measured["log"].to_numpy(dtype=float)
    solution, _, rank, _ = np.linalg.lstsq(design, logs)
    rest = logs - design @ solution
    return float(rest @ rest), len(logs) - int(rank)
