"""Several comparisons at once: how sure each must be so that all of them are, and what that makes of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.statistics.paired import Estimate, Shift
from analysis.statistics.power import found_by
from analysis.statistics.verdict import is_within, verdict

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """One of a family. `single` is its interval by itself, `within` the one that holds beside all the others where it
    leaves out 1, `strict` the one that always does."""

    single: Estimate
    within: Estimate
    strict: Estimate
    p: float
    p_holm: float
    least: float  # the smallest difference, as a share, found in 80 % of such cases beside all the others

    def word(self, margin: float, higher_is_better: bool, floor: float = 0.0) -> str:
        """The verdict. The steps of Holm's procedure are for who differs from 1: the last to be told from it would be
        called equivalent by an interval of its own alone. So all of `strict` must lie within the margin, too."""
        told = margin if is_within(self.strict.low, self.strict.high, margin) else 0.0
        return verdict(self.within.low, self.within.high, told, higher_is_better, floor)


def strictest(members: int, alpha: float = ALPHA) -> float:
    """The highest confidence that a family of so many asks of a comparison."""
    return 1 - alpha / max(1, members)


def compare(family: Sequence[Shift], alpha: float = ALPHA) -> list[Comparison]:
    """Each shift as one of a family; whoever made them chose a method that can give `strictest`.

    Each interval `within` has the confidence of its step in Holm's procedure, so it leaves out 1 exactly where that
    procedure rejects: the chance that any of them does without a difference is at most alpha.
    """
    ps, highest = [shift.p for shift in family], strictest(len(family), alpha)
    adjusted, confidences = holm(ps, alpha)
    return [
        Comparison(
            shift.estimate(1 - alpha), shift.estimate(confidence), shift.estimate(highest), p, p_holm,
            found_by(shift, highest),
        )
        for shift, p, p_holm, confidence in zip(family, ps, adjusted, confidences, strict=True)
    ]  # fmt: skip


def holm(ps: Sequence[float], alpha: float = ALPHA) -> tuple[list[float], list[float]]:
    """Of each p its adjusted value, and the confidence of the interval that decides.

    The k-th smallest of m is held against alpha/(m - k + 1), until one is above: that one and all larger ones stay at
    its level (Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979).
    """
    m = len(ps)
    adjusted, confidences = [0.0] * m, [0.0] * m
    highest, is_open, level = 0.0, True, alpha
    for step, i in enumerate(sorted(range(m), key=lambda one: ps[one])):
        if is_open:
            level = alpha / (m - step)
            is_open = ps[i] <= level
        highest = max(highest, min(1.0, ps[i] * (m - step)))
        adjusted[i], confidences[i] = highest, 1 - level
    return adjusted, confidences
