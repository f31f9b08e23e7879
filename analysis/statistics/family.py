"""Several comparisons at once: how sure each must be so that all of them are, and what that makes of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.statistics import paired
from analysis.statistics.paired import Estimate

ALPHA = 0.05

Pairs = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class Comparison:
    """One of a family. `single` is its interval by itself, `within` the one that holds beside all the others."""

    single: Estimate
    within: Estimate
    p: float
    p_holm: float


def compare(
    family: Sequence[Pairs],
    alpha: float = ALPHA,
    *,
    ratio: Callable[..., Estimate] = paired.ratio,
    p_value: Callable[..., float] = paired.p_value,
) -> list[Comparison]:
    """Each pair of (ours, theirs) as one of a family: block by block, or by the ratio and test of another law.

    Each interval `within` has the confidence of its step in Holm's procedure, so it leaves out 1 exactly where that
    procedure rejects: the chance that any of them does without a difference is at most alpha.
    """
    strictest = 1 - alpha / max(1, len(family))
    ps = [p_value(ours, theirs, strictest) for ours, theirs in family]
    adjusted, confidences = holm(ps, alpha)
    return [
        Comparison(ratio(*pairs, 1 - alpha, strictest), ratio(*pairs, confidence, strictest), p, p_holm)
        for pairs, p, p_holm, confidence in zip(family, ps, adjusted, confidences, strict=True)
    ]


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
