"""Two groups at different times: counts by hand, against another implementation, and coverage by simulation."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import unpaired
from analysis.statistics.paired import Estimate


def ratio(a: list[float], b: list[float], confidence: float = 0.95) -> Estimate:
    return unpaired.shift(a, b).estimate(confidence)


def p_value(a: list[float], b: list[float]) -> float:
    return unpaired.shift(a, b).p


@pytest.mark.parametrize(
    ("n", "m", "k", "confidence"),
    [
        (2, 2, 1, 1 - 2 * 1 / 6),  # of the six orders of two and two one has U = 0
        (2, 2, 2, 1 - 2 * 2 / 6),  # and one U = 1
        (3, 3, 1, 1 - 2 * 1 / 20),
        (4, 4, 1, 1 - 2 * 1 / 70),
        (4, 4, 2, 1 - 2 * 2 / 70),
        (5, 5, 3, 1 - 2 * 4 / 252),  # U of 0, 1, 2: one, one, two orders; books give 2 as the critical value
        (5, 5, 4, 1 - 2 * 7 / 252),  # U of 3: three more
        (2, 2, 9, 0.0),
    ],
)
def test_orders_are_counted(n: int, m: int, k: int, confidence: float) -> None:
    assert unpaired.mann_whitney_confidence(n, m, k) == pytest.approx(confidence, abs=1e-15)


@pytest.mark.parametrize(("n", "m"), [(3, 5), (5, 3), (6, 6)])
def test_the_confidence_is_that_of_every_order_listed(n: int, m: int) -> None:
    counts = [sum(places) - n * (n - 1) // 2 for places in combinations(range(n + m), n)]
    for k in range(1, n * m):
        below = sum(count < k for count in counts) / len(counts)
        assert unpaired.mann_whitney_confidence(n, m, k) == pytest.approx(max(0, 1 - 2 * below), abs=1e-14)


def test_many_repetitions_do_not_wear_out_the_count() -> None:
    exact = stats.mannwhitneyu(np.arange(40), np.arange(40) + 12.5, method="exact")
    assert 1 - unpaired.mann_whitney_confidence(40, 40, int(exact.statistic) + 1) == pytest.approx(
        exact.pvalue, rel=1e-9
    )


def test_two_of_each_by_hand() -> None:
    # As powers of e 1, 3 and 0, 2: means 2 and 1, variances 2, standard error √2, two degrees of freedom, t = 4.302653.
    found = ratio([math.e, math.e**3], [1, math.e**2])
    half = 4.302653 * math.sqrt(2)
    assert (found.value, found.low, found.high) == pytest.approx(
        (math.e, math.exp(1 - half), math.exp(1 + half)), rel=1e-5
    )
    assert (found.confidence, found.n, found.method) == (0.95, 2, "geometric means, Welch's t")


def test_welch_as_another_implementation_has_it() -> None:
    a, b = np.array([0.1, 0.5, 0.2]), np.array([0.0, 1.3, 0.4, 0.9, 2.2])
    other = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    found = ratio(np.exp(a).tolist(), np.exp(b).tolist(), 0.9)
    assert [found.value, found.low, found.high] == pytest.approx(np.exp([a.mean() - b.mean(), other.low, other.high]))


def test_equal_numbers_have_no_width() -> None:
    found = ratio([3, 3, 3], [3, 3])
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_the_other_way_round_it_is_the_reciprocal() -> None:
    ours, theirs = [3.1, 2.2, 4.7, 1.9, 3.3], [1.0, 1.1, 1.3, 0.9, 1.2, 1.4]
    for n in (3, 5):
        one, other = ratio(ours[:n], theirs), ratio(theirs, ours[:n])
        assert (one.value, one.low, one.high) == pytest.approx((1 / other.value, 1 / other.high, 1 / other.low))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([], [1.0, 1.0]), ([1.0, 1.0], [1.0]), ([1.0, 1.0], [0.0, 1.0]), ([math.inf, 1.0], [1.0, 1.0]),
        ([math.nan, 1.0], [1.0, 1.0]),
    ],
)  # fmt: skip
def test_what_gives_no_shift_is_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpaired.shift(ours, theirs)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 5), (3, 3), (4, 4), (4, 7), (5, 5), (6, 10), (10, 10)])
def test_the_interval_covers_the_truth_as_often_as_it_says(n: int, m: int) -> None:
    """Repetitions spread by 5 %, the truth is 1.1. 2,000 comparisons: three standard errors are 1.5 %.

    Welch's degrees of freedom are an approximation, which with two or three of each errs to the safe side.
    """
    draw = np.random.default_rng([n, m])
    ours, theirs = 1.1 * np.exp(draw.normal(0, 0.05, (2000, n))), np.exp(draw.normal(0, 0.05, (2000, m)))
    found = [ratio(a, b) for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)]
    covered = sum(one.low <= 1.1 <= one.high for one in found) / 2000
    assert found[0].confidence >= 0.95
    assert found[0].confidence - 0.015 <= covered <= (found[0].confidence + 0.015 if min(n, m) >= 4 else 0.99)


def test_p_of_welch_as_another_implementation_has_it() -> None:
    a, b = [1.1, 1.6, 1.2], [1.0, 3.6, 1.5]
    other = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).pvalue
    assert p_value(a, b) == pytest.approx(other)
    assert p_value([5, 5], [1, 1]) == 0.0 and p_value([5, 5], [5, 5]) == 1.0


@pytest.mark.parametrize("size", [3, 6])
def test_p_and_interval_never_contradict_each_other(size: int) -> None:
    random = np.random.default_rng(4)
    for _ in range(100):
        a, b = np.exp(random.normal(0.5, 0.5, size)).tolist(), np.exp(random.normal(0, 0.5, size)).tolist()
        for alpha in (0.05, 0.2):
            found = ratio(a, b, 1 - alpha)
            assert (p_value(a, b) <= alpha) == (found.low > 1 or found.high < 1)
