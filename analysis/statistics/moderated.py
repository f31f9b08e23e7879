"""By which factor several cells of one load differ from their baseline, when their blocks are too few to tell how much
each of them spreads.

A block holds one measurement of each, and the baseline's twice: the control is a measurement of it like any other, and
the mean of the two spreads less. Of few blocks a cell's own spread is hardly known, so one that seems to spread no more
than the cells of the run do together is judged by theirs. One that seems to spread more is judged by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.statistics.paired import Shift, shift

POOLED = (3, 4)  # blocks: with more a cell knows its own spread well enough, with fewer not even the run does
LEAST_COMPARED = 3  # beside the baseline and its control
# A cell may spread more than the others although its few blocks do not show it. By simulation of the whole procedure
# with one cell, or the baseline, that spreads 2 to 10 times as much (docs/verdict.md), with this the risk is kept.
WIDENED = 2.0  # of the variance


def shifts(cells: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]], strictest: float) -> list[Shift]:
    """Of each cell over the baseline. All are logarithms, one for each of the same blocks; of the baseline one row, or
    two with its control. Each shift can give the confidence `strictest`.
    """
    own = np.asarray(cells, dtype=float)
    base = np.asarray(baseline, dtype=float)
    differences = own - base.mean(axis=0)
    compared, blocks = own.shape
    by_itself = [shift(row.tolist(), strictest) for row in differences]
    if len(base) < 2 or compared < LEAST_COMPARED or blocks not in POOLED:
        return by_itself
    variance, freedom = residual(np.vstack([base, own]))
    ours = variance * (1 + 1 / len(base))  # of the difference in one block
    return [
        _pooled(row, ours, freedom) if float(row.var(ddof=1)) <= ours else alone
        for row, alone in zip(differences, by_itself, strict=True)
    ]


def residual(logs: np.ndarray) -> tuple[float, int]:
    """The variance that is left of one measurement after the effects of cells (rows) and blocks (columns), and its
    degrees of freedom (Scheffé, "The Analysis of Variance", 1959, chapter 4)."""
    rest = logs - logs.mean(axis=0) - logs.mean(axis=1, keepdims=True) + logs.mean()
    freedom = (logs.shape[0] - 1) * (logs.shape[1] - 1)
    return float((rest**2).sum()) / freedom, freedom


def _pooled(differences: np.ndarray, run: float, freedom: int) -> Shift:
    """The cell's own variance moderated by the run's, each by its degrees of freedom (Smyth, "Linear models and
    empirical Bayes methods", Statistical Applications in Genetics and Molecular Biology 3, 2004), then widened."""
    blocks = len(differences)
    own = blocks - 1
    variance = (own * float(differences.var(ddof=1)) + (freedom - own) * run) / freedom
    error = math.sqrt(WIDENED * variance / blocks)
    return Shift(blocks, "geometric mean, moderated t", (float(differences.mean()), error, freedom))
