"""How evenly several share a thing.

Index of fairness (Σx)² / (n·Σx²): R. Jain, D. Chiu, W. Hawe, A Quantitative Measure of Fairness and Discrimination for
Resource Allocation in Shared Computer Systems, DEC-TR-301, 1984. 1: all have the same; 1/n: one has all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def jain(shares: Sequence[float] | np.ndarray) -> float:
    """Jain's index of fairness of these amounts; nan where all are nothing."""
    amounts = np.asarray(shares, dtype=float)
    squares = float((amounts**2).sum())
    return float(amounts.sum() ** 2 / (len(amounts) * squares)) if squares else float("nan")
