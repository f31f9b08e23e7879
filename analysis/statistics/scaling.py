"""How a figure grows with a size: the exponent of a power law."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.statistics.paired import Estimate, student

LEAST_LEVELS = 3  # two points lie on any line


def exponent(blocks: Sequence[tuple[Sequence[float], Sequence[float]]], confidence: float = 0.95) -> Estimate | None:
    """d log(figure) / d log(size), from one (sizes, figures) per block; None where no block has three sizes.

    Each block gives one slope, by least squares on logarithms; the block is the unit, so the interval is Student's over
    the slopes (J. N. S. Matthews et al., "Analysis of serial measurements in medical research", BMJ 300, 1990: one
    summary for each unit; what a block has in common with itself cannot pass for knowledge). A slope of 1 is growth in
    proportion, of 0 none. One block has no interval. Figures that are not finite and above 0 are left out.
    """
    slopes = []
    for sizes, figures in blocks:
        points = [(math.log(s), math.log(f)) for s, f in zip(sizes, figures, strict=True) if s > 0 and 0 < f < math.inf]
        if len({x for x, _ in points}) >= LEAST_LEVELS:
            x, y = np.array(points).T
            slopes.append(float(np.polyfit(x, y, 1)[0]))
    if not slopes:
        return None
    if len(slopes) == 1:
        return Estimate(slopes[0], math.nan, math.nan, math.nan, 1, "one block")
    return Estimate(*student(slopes, confidence), confidence, len(slopes), "slope per block, Student's t")
