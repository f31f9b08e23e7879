"""The centre of a few repetitions: by hand, with what was never answered, and coverage by simulation."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from analysis.statistics.interval import centre, median, order_statistics

INF = math.inf


def test_six_repetitions_by_hand() -> None:
    # From the 1st value on either side the confidence is 1 - 2/64 = 0.96875, from the 2nd 1 - 14/64 = 0.78125: 0.95 is
    # a tenth of the way, I = 0.1, and the interval begins (6 - 1) · 0.1 / (1 + 4 · 0.1) = 5/14 of the way to the 2nd.
    found = centre([8, 1, 32, 4, 16, 2])
    assert found.value == 6
    assert (found.low, found.high) == pytest.approx((1 + 5 / 14, 32 - 16 * 5 / 14))
    assert (found.confidence, found.n, found.method) == (0.95, 6, "median, order statistics")


def test_seven_repetitions_by_hand() -> None:
    # 0.984375 and 0.875: I = 11/35, and 6 I / (1 + 5 I) = 11/15.
    low, high = order_statistics([1, 2, 3, 4, 5, 6, 7], 0.95)
    assert (low, high) == pytest.approx((1 + 11 / 15, 7 - 11 / 15))


def test_an_exact_confidence_needs_no_way_between() -> None:
    assert order_statistics([1, 2, 3, 4, 5, 6], 0.96875) == (1, 6)
    assert order_statistics([1, 2, 3, 4, 5, 6], 0.78125) == (2, 5)


def test_no_confidence_that_order_statistics_cannot_have() -> None:
    with pytest.raises(ValueError, match="no order statistics of 5 values"):
        order_statistics([1, 2, 3, 4, 5], 0.95)


def test_three_repetitions_by_hand() -> None:
    # As powers of two 0, 1, 2: mean 1, deviation 1, t of two degrees of freedom 4.302653: 1 ± 2.484138.
    found = centre([4, 1, 2])
    assert (found.value, found.low, found.high) == pytest.approx((2, 2**-1.484138, 2**3.484138))
    assert (found.confidence, found.n, found.method) == (0.95, 3, "geometric mean, Student's t, small n")


def test_two_repetitions_have_their_range() -> None:
    """30 and 34 µs gave 32,000 [13,000, 74,000] requests per CPU second by Student's t."""
    found = centre([8, 2])
    assert (found.value, found.low, found.high) == (4, 2, 8)
    assert (found.confidence, found.n, found.method) == (0.5, 2, "range")


def test_what_is_not_above_0_has_no_logarithm() -> None:
    found = centre([0, 1, 2])
    assert (found.value, found.low, found.high) == pytest.approx((1, 1 - 2.484138, 1 + 2.484138))
    assert found.method == "mean, Student's t, small n"
    assert centre([-3, -2, -1, 0, 1, 2, 3]).value == 0


def test_equal_repetitions_have_an_interval_without_width() -> None:
    for n in (2, 3, 6):
        found = centre([10_000.0] * n)
        assert (found.value, found.low, found.high) == pytest.approx((10_000, 10_000, 10_000), rel=1e-12)


def test_one_repetition_has_no_interval() -> None:
    found = centre([7.0])
    assert (found.value, found.n) == (7, 1)
    assert math.isnan(found.low) and math.isnan(found.high) and math.isnan(found.confidence)
    assert centre([INF]).value == INF


@pytest.mark.parametrize(
    ("values", "expected"),
    [  # value, low, high, confidence; with few the whole range, which covers the median with 1 - 2/2^n
        ([1, INF], (INF, 1, INF, 0.5)),
        ([INF, 1, 2], (2, 1, INF, 0.75)),
        ([1, 2, INF, INF], (INF, 1, INF, 0.875)),
        ([INF, INF, INF], (INF, INF, INF, 0.75)),
        ([1, 2, 3, 4, 5, INF], (3.5, 1 + 5 / 14, INF, 0.95)),
        ([INF] * 6, (INF, INF, INF, 0.95)),
        ([1, 2, 3, INF, INF, INF], (INF, 1 + 5 / 14, INF, 0.95)),
        # From the 2nd of nine: 0.9609375 and 0.8203125, so I = 7/90 and 7 I / (2 + 5 I) = 49/215.
        ([1, 2, 3, 4, 5, 6, 7, 8, INF], (5, 2 + 49 / 215, 8 - 49 / 215, 0.95)),
    ],
)
def test_what_was_never_answered_is_the_largest(values: list[float], expected: tuple[float, ...]) -> None:
    found = centre(values)
    assert (found.value, found.low, found.high, found.confidence) == pytest.approx(expected)


def test_the_median_is_the_middle() -> None:
    assert (median([3, 1, 2]), median([4, 1, 3, 2]), median([1, INF]), median([INF, INF])) == (2, 2.5, INF, INF)


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_no_centre_of_nothing(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one repetition"):
        centre(values)


SPREAD, OUTLIERS, FACTOR = 0.12, 0.05, 1.5


def truth(n: int, is_contaminated: bool) -> float:
    """What the method estimates: the median of the mixture, or its geometric mean."""
    share = OUTLIERS if is_contaminated else 0.0
    if n < 6:
        return math.exp(share * math.log(FACTOR))

    def below(log: float) -> float:
        outlier = special.ndtr((log - math.log(FACTOR)) / SPREAD)
        return float((1 - share) * special.ndtr(log / SPREAD) + share * outlier) - 0.5

    return math.exp(optimize.brentq(below, -1, 1))


@pytest.mark.parametrize("is_contaminated", [False, True])
@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20])
def test_the_interval_covers_the_truth_in_93_to_97_of_100(n: int, is_contaminated: bool) -> None:
    """2,000 cells whose repetitions spread by 12 %, of which one in twenty may be half as much again."""
    draw = np.random.default_rng([n, is_contaminated])
    values = np.exp(draw.normal(0, SPREAD, (2000, n)))
    if is_contaminated:
        values *= np.where(draw.random(values.shape) < OUTLIERS, FACTOR, 1)
    expected = truth(n, is_contaminated)
    covered = sum(found.low <= expected <= found.high for found in map(centre, values.tolist()))
    assert 0.93 <= covered / 2000 <= 0.97
