"""Ratios of blocks and their intervals: numbers worked out by hand, tables of books, and coverage by simulation."""

import math
import random

import pytest

from analysis.statistics import paired


@pytest.mark.parametrize(
    ("n", "k", "confidence"),
    [
        (1, 1, 0.0),  # 1 - 2 · 1/2
        (3, 1, 0.75),  # 1 - 2 · 1/8
        (6, 1, 0.96875),  # 1 - 2 · 1/64: only the empty set has the sum 0
        (6, 2, 0.9375),  # and {1} the sum 1
        (7, 3, 0.953125),  # 1 - 2 · 3/128: {}, {1}, {2}
        (7, 4, 0.921875),  # {3} and {1, 2} have the sum 3
        (10, 9, 0.951171875),  # 1 - 2 · 25/1024; books give 8 as the critical value of T for n = 10
        (10, 10, 0.935546875),  # 1 - 2 · 33/1024
        (4, 11, 0.0),  # more sets than all: nothing is left
    ],
)
def test_sets_of_ranks_are_counted(n: int, k: int, confidence: float) -> None:
    assert paired.encloses(paired.signed_rank_below(n), k) == confidence


def test_the_confidence_is_that_of_every_set_listed() -> None:
    n = 9
    sums = [sum(rank for rank in range(1, n + 1) if chosen >> rank & 1) for chosen in range(0, 2 ** (n + 1), 2)]
    for k in range(1, 20):
        below = sum(total < k for total in sums) / len(sums)
        assert paired.encloses(paired.signed_rank_below(n), k) == pytest.approx(1 - 2 * below, abs=1e-15)


def test_hodges_lehmann_by_hand() -> None:
    # The 21 means of two, in order: 1 1.5 2 2.5 3 4 4.5 5 6 8 8.5 9 10 12 16 16.5 17 18 20 24 32; the 11th is 8.5, and
    # with k = 1 the interval is the whole range.
    ours = [2.0**log for log in (4, 1, 32, 2, 16, 8)]
    found = paired.ratio(ours, [1] * 6)
    assert (found.value, found.low, found.high) == pytest.approx((2**8.5, 2, 2**32))
    assert (found.confidence, found.n, found.method) == (0.96875, 6, "Hodges-Lehmann, signed-rank")
    # With k = 2 it leaves out one mean at either end: (1 + 2)/2 and (16 + 32)/2 are next.
    found = paired.ratio(ours, [1] * 6, 0.93)
    assert (found.low, found.high, found.confidence) == pytest.approx((2**1.5, 2**24, 0.9375))


@pytest.mark.parametrize(
    ("confidence", "freedom", "t"),
    [  # tables of Student's distribution, two-sided
        (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 3, 3.182), (0.95, 4, 2.776), (0.95, 5, 2.571), (0.95, 30, 2.042),
        (0.99, 4, 4.604), (0.50, 1, 1.000), (0.90, 9, 1.833), (0.95, 100_000, 1.960),
    ],
)  # fmt: skip
def test_student_as_the_tables_have_it(confidence: float, freedom: int, t: float) -> None:
    assert paired.t_within(confidence, freedom) == pytest.approx(t, abs=6e-4)


def test_student_by_hand() -> None:
    # 1, 2, 3: mean 2, deviation 1, and t of two degrees of freedom is 4.3027: 2 ± 4.3027 / √3.
    mean, low, high = paired.student([1, 2, 3], 0.95)
    assert (mean, low, high) == pytest.approx((2, -0.484138, 4.484138), abs=1e-6)


def test_a_ratio_of_few_blocks_is_the_geometric_mean() -> None:
    found = paired.ratio([2, 8], [1, 1])
    assert found.value == pytest.approx(4)
    # logs ln 2 and ln 8: mean ln 4, deviation ln 2 · √2, half width 12.7062 · ln 2.
    assert (found.low, found.high) == pytest.approx((4 / 2**12.7062, 4 * 2**12.7062), rel=1e-4)
    assert (found.confidence, found.n, found.method) == (0.95, 2, "geometric mean, Student's t")


def test_what_blocks_share_is_no_difference() -> None:
    ours = [1.0, 50, 3, 700, 2, 11, 5]
    found = paired.ratio([3 * one for one in ours], ours)
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))


def test_the_other_way_round_it_is_the_reciprocal() -> None:
    ours, theirs = [3.1, 2.2, 4.7, 1.9, 3.3, 2.8, 5.0], [1.0, 1.1, 1.3, 0.9, 1.2, 1.0, 1.4]
    for n in (3, 7):
        one, other = paired.ratio(ours[:n], theirs[:n]), paired.ratio(theirs[:n], ours[:n])
        assert (one.value, one.low, one.high) == pytest.approx((1 / other.value, 1 / other.high, 1 / other.low))


def test_one_block_has_no_bounds() -> None:
    found = paired.ratio([3], [2])
    assert (found.value, found.low, found.high, found.n) == (1.5, 0, math.inf, 1)


def test_more_confidence_than_ranks_can_give_is_students() -> None:
    assert paired.ratio([1, 2, 3, 4, 5, 6], [1] * 6, 0.99).method == "geometric mean, Student's t"


@pytest.mark.parametrize(
    ("ours", "theirs", "confidence"),
    [
        ([], [], 0.95), ([1.0], [0.0], 0.95), ([-1.0], [1.0], 0.95), ([1.0, 2.0], [1.0], 0.95),
        ([math.nan], [1.0], 0.95), ([math.inf], [1.0], 0.95), ([1.0], [1.0], 1.0),
    ],
)  # fmt: skip
def test_what_gives_no_ratio_is_refused(ours: list[float], theirs: list[float], confidence: float) -> None:
    with pytest.raises(ValueError, match=r"."):
        paired.ratio(ours, theirs, confidence)


@pytest.mark.parametrize("n", [2, 5, 6, 7, 10])
def test_the_interval_covers_the_truth_as_often_as_it_says(n: int) -> None:
    """Blocks differ by 30 %, repetitions by 3 %, the truth is 1.1. 4,000 trials: four standard errors are 1.4 %."""
    draw, trials, truth = random.Random(f"paired {n}"), 4000, 1.1
    covered, confidence = 0, 0.0
    for _ in range(trials):
        blocks = [draw.gauss(0, 0.3) for _ in range(n)]
        ours = [truth * math.exp(block + draw.gauss(0, 0.03)) for block in blocks]
        found = paired.ratio(ours, [math.exp(block + draw.gauss(0, 0.03)) for block in blocks])
        covered += found.low <= truth <= found.high
        confidence = found.confidence
    assert covered / trials == pytest.approx(confidence, abs=0.014)
    assert confidence >= 0.95
