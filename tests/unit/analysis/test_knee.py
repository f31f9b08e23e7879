"""The capacity under an objective: crossings by hand, what saturation and silence mean, coverage by simulation."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from analysis.statistics.knee import Rung, capacity
from analysis.statistics.knee import of_block as knee_of_block

INF, NAN, MS = math.inf, math.nan, 1e6


def of_block(rungs: Sequence[Rung], limit_ns: float) -> tuple[float, bool] | None:
    """Its rate, and whether the objective is missed at all; None where the lowest rate misses it."""
    found = knee_of_block(rungs, limit_ns)
    return (
        None if found is None or math.isnan(found.rate_per_s) else (found.rate_per_s, not math.isnan(found.above_per_s))
    )


def ladder(*responses_ms: float, achieved: float = 1.0) -> list[Rung]:
    """Rates 1000, 2000, 4000, …"""
    return [Rung(1000.0 * 2**i, ms * MS, achieved) for i, ms in enumerate(responses_ms)]


def test_the_crossing_by_hand() -> None:
    # From 5 ms to 20 ms while the rate doubles: 10 ms is half way in logarithms, 2000 · √2.
    assert of_block(ladder(1, 5, 20), 10 * MS) == pytest.approx((2000 * math.sqrt(2), True))


def test_a_power_law_is_met_exactly() -> None:
    # response = (rate / 1000)³ ms: 10 ms at 1000 · 10^(1/3).
    rates = (500.0, 1500.0, 2500.0)
    rungs = [Rung(rate, (rate / 1000) ** 3 * MS, 1.0) for rate in rates]
    assert of_block(rungs, 10 * MS) == pytest.approx((1000 * 10 ** (1 / 3), True))


def test_the_order_of_the_rungs_is_no_matter() -> None:
    assert of_block(ladder(1, 5, 20)[::-1], 10 * MS) == of_block(ladder(1, 5, 20), 10 * MS)


def test_a_response_that_just_meets_the_objective_meets_it() -> None:
    assert of_block(ladder(1, 10), 10 * MS) == (2000, False)


def test_what_meets_it_again_beyond_the_first_miss_does_not_count() -> None:
    assert of_block(ladder(5, 20, 5), 10 * MS) == pytest.approx((1000 * math.sqrt(2), True))
    knee = knee_of_block(ladder(1, 20, 5, 30), 10 * MS)
    assert knee is not None
    assert (knee.below_per_s, knee.above_per_s, knee.again_per_s) == (1000, 2000, 4000)


@pytest.mark.parametrize(
    "saturated", [Rung(2000, INF, 1.0), Rung(2000, 5 * MS, 0.989)], ids=["never answered", "answered too few"]
)
def test_nothing_is_interpolated_towards_saturation(saturated: Rung) -> None:
    assert of_block([Rung(1000, MS, 1.0), saturated], 10 * MS) == (1000, True)


def test_99_percent_answered_are_enough_as_for_the_search() -> None:
    assert of_block(ladder(1, 5, achieved=0.99), 10 * MS) == (2000, False)
    assert of_block(ladder(1, 5, achieved=0.9899), 10 * MS) is None


def test_an_objective_missed_at_the_lowest_rate_has_no_capacity() -> None:
    assert of_block(ladder(20, 30), 10 * MS) is None
    assert of_block([], 10 * MS) is None
    found = capacity([ladder(1, 20), ladder(20, 30)], 10 * MS)
    assert found is not None
    assert math.isnan(found.estimate.value) and found.above_per_s == 1000
    assert capacity([], 10 * MS) is None


def test_three_blocks_by_hand() -> None:
    # 2000 · 2^(1/2), 2000 · 2^(log 2 / log 16) = 2000 · 2^(1/4) and 2000 · 2^(log 8 / log 16) = 2000 · 2^(3/4).
    # The logarithms to base 2 beyond 2000 are 0.5, 0.25, 0.75: mean 0.5, deviation 0.25, t of two degrees of freedom
    # 4.302653 · 0.25 / √3 = 0.621034.
    found = capacity([ladder(1, 5, 20), ladder(1, 5, 80), ladder(1, 1.25, 20)], 10 * MS)
    assert found is not None
    assert found.is_bounded
    e = found.estimate
    assert (e.value, e.low, e.high) == pytest.approx((2000 * 2**0.5, 2000 * 2**-0.121034, 2000 * 2**1.121034), rel=1e-5)
    assert (e.n, e.confidence) == (3, 0.95)


def test_a_block_that_never_misses_makes_it_a_lower_bound() -> None:
    found = capacity([ladder(1, 5, 20), ladder(1, 5, 9)], 10 * MS)
    assert found is not None
    assert not found.is_bounded


def test_a_percentile_that_was_withheld_does_not_count() -> None:
    assert capacity([ladder(1, NAN, 5, 20)], 10 * MS) == capacity(
        [[rung for i, rung in enumerate(ladder(1, 0, 5, 20)) if i != 1]], 10 * MS
    )
    assert capacity([ladder(NAN, NAN)], 10 * MS) is None


@pytest.mark.parametrize("blocks", [3, 10])
def test_the_interval_covers_the_truth_as_often_as_it_says(blocks: int) -> None:
    """A power law, so that interpolation is exact; blocks vary by 8 %, trials by 3 %. 2,000 runs: three standard errors
    of 95 % are 1.5 %."""
    draw = np.random.default_rng([3, blocks])
    rates = np.array([1000.0, 2000, 4000, 8000])
    true = 1000 * 10 ** (1 / 3)
    covered = 0
    for _ in range(2000):
        noise = np.exp(draw.normal(0, 0.08, (blocks, 1)) + draw.normal(0, 0.03, (blocks, 4)))
        responses = (rates / 1000) ** 3 * MS * noise
        found = capacity([[Rung(r, v, 1.0) for r, v in zip(rates, row, strict=True)] for row in responses], 10 * MS)
        assert found is not None
        covered += found.estimate.low <= true <= found.estimate.high
    assert 0.93 <= covered / 2000 <= 0.97
