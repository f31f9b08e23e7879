"""What a design can see: the smallest difference that paired blocks find often enough, before anything is measured."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import special

from analysis.statistics.paired import attained, t_within

POWER = 0.8


def power(difference: float, n: int, spread: float, confidence: float = 0.95) -> float:
    """How often n blocks find that two things differ by this share, such as 0.1.

    `spread` is the standard deviation of the logarithm of one measurement, beside what a block does to all of them; a
    pair has √2 of it. The t of n blocks is then noncentral (Johnson and Welch, "Applications of the non-central
    t-distribution", Biometrika 31, 1940). Ranks, which `paired.ratio` uses from six blocks on, see about as well as
    Student's t of the confidence that they truly have (Lehmann, "Nonparametrics", 1975, section 4.3).
    """
    t = t_within(attained(n, confidence), n - 1)
    shift = math.log1p(difference) / (spread * math.sqrt(2 / n))
    return float(1 - special.nctdtr(n - 1, shift, t) + special.nctdtr(n - 1, shift, -t))


def detectable(n: int, spread: float, confidence: float = 0.95, wanted: float = POWER) -> float:
    """The smallest difference, as a share, that n blocks find this often; inf where they find none."""
    if n < 2:
        return math.inf
    t = t_within(attained(n, confidence), n - 1)
    # The other tail, a difference the wrong way round, is far below what a double keeps of the wanted power.
    shift = float(special.nctdtrinc(n - 1, 1 - wanted, t))
    return math.expm1(shift * spread * math.sqrt(2 / n))


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
