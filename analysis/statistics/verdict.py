"""One word of five for a comparison, from its interval alone: so the two can never disagree."""

from __future__ import annotations

import math

BETTER, WORSE, EQUIVALENT = "better", "worse", "equivalent"
INCONCLUSIVE, NOT_COMPARABLE = "inconclusive", "not comparable"
VERDICTS = (BETTER, WORSE, EQUIVALENT, INCONCLUSIVE, NOT_COMPARABLE)
MOST_MARGIN = 0.25  # where two measurements of one thing differ by more, nothing that is found is called the same


def verdict(low: float, high: float, margin: float, higher_is_better: bool) -> str:
    """What the interval [low, high] of a ratio says, `margin` being the share that counts as equal.

    Equivalent: all of it lies between 1/(1 + margin) and 1 + margin; or inconclusive, where that margin is so wide that
    things may lie within it which nobody would call the same (Schuirmann, "A comparison of the two one-sided
    tests procedure and the power approach", Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). Better or
    worse: it leaves out 1. Inconclusive: neither. Not comparable: there is no interval.
    """
    if math.isnan(low) or math.isnan(high):
        return NOT_COMPARABLE
    if low >= 1 / (1 + margin) and high <= 1 + margin:
        return EQUIVALENT if margin <= MOST_MARGIN else INCONCLUSIVE
    if low > 1 or high < 1:
        return BETTER if (low > 1) == higher_is_better else WORSE
    return INCONCLUSIVE
