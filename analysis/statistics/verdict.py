"""One word of five for a comparison, from its interval alone: so the two can never disagree."""

from __future__ import annotations

import math

BETTER, WORSE, EQUIVALENT = "better", "worse", "equivalent"
INCONCLUSIVE, NOT_COMPARABLE = "inconclusive", "not comparable"
VERDICTS = (BETTER, WORSE, EQUIVALENT, INCONCLUSIVE, NOT_COMPARABLE)


def verdict(low: float, high: float, margin: float, higher_is_better: bool, floor: float = 0.0) -> str:
    """What the interval [low, high] of a ratio says. `margin` is the share that counts as equal, as it was stated
    beforehand; `floor` the share by which two measurements of one thing were found to differ.

    Equivalent: all of it lies between 1/(1 + margin) and 1 + margin (Schuirmann, "A comparison of the two one-sided
    tests procedure and the power approach", Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). Better or
    worse: it leaves out 1, and does not lie wholly within the floor. Inconclusive: neither. Not comparable: there is no
    interval.
    """
    if math.isnan(low) or math.isnan(high):
        return NOT_COMPARABLE
    if is_within(low, high, margin):
        return EQUIVALENT
    if (low > 1 or high < 1) and not is_within(low, high, floor):
        return BETTER if (low > 1) == higher_is_better else WORSE
    return INCONCLUSIVE


def is_within(low: float, high: float, share: float) -> bool:
    return low >= 1 / (1 + share) and high <= 1 + share
