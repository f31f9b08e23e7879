"""Stationarity and independence: by hand, and how often they cry wolf."""

import math

import numpy as np
import pytest

from analysis.statistics.series import moved, slope, succession


def test_moved() -> None:
    even = np.array([1.0, 2, 3, 4, 5, 11, 12, 13, 14, 15])
    assert moved(even) == pytest.approx(13 / 3 - 1)
    # One pair changes sides: of the 252 ways to halve them 4 are as far apart, p is 0.016.
    assert moved(np.array([1.0, 2, 3, 4, 11, 5, 12, 13, 14, 15])) == 0.0
    assert moved(np.array([1.0, 2, 3, 4, 11, 5, 12, 13, 14, 15]), 0.02) == pytest.approx(13 / 3 - 1)
    # An odd number: 99 in the middle counts for nothing.
    assert moved(np.array([1.0, 2, 3, 4, 5, 99, 11, 12, 13, 14, 15])) == pytest.approx(13 / 3 - 1)
    assert moved(np.array([1.0, 2, 3, 4, 5, *[np.inf] * 5])) == np.inf
    assert moved(np.array([np.nan] * 10)) == 0.0
    assert moved(np.array([])) == 0.0


def test_rising_values_resemble_their_neighbours() -> None:
    # Nine steps of one rank, around their mean 82.5: ratio 9 / 82.5. The variance is 4·8·471 / (5·10·11·81) = 0.33832,
    # z = (0.10909 - 2) / 0.58165 = -3.2509.
    likeness, p = succession([float(10 * i) for i in range(10)])
    assert likeness == pytest.approx(1 - 9 / 82.5 / 2)
    assert p == pytest.approx(0.000575, abs=2e-6)


def test_values_that_jump_do_not() -> None:
    # Steps of 9, 8, … 1 ranks: 285 / 82.5.
    likeness, p = succession([1, 10, 2, 9, 3, 8, 4, 7, 5, 6])
    assert likeness == pytest.approx(1 - 285 / 82.5 / 2)
    assert p > 0.99


@pytest.mark.parametrize("values", [[], [1, 2, 3], [5] * 20], ids=["none", "few", "all one"])
def test_what_tells_nothing(values: list[float]) -> None:
    assert all(math.isnan(part) for part in succession(values))


@pytest.mark.parametrize("n", [10, 20, 90])
def test_independent_values_are_accused_as_often_as_p_says(n: int) -> None:
    """4,000 series: three standard errors of 5 % are 1.0 %, of 1 % they are 0.5 %."""
    draw = np.random.default_rng([7, n])
    series = draw.lognormal(0, 0.05, (4000, n))
    p = np.array([succession(row.tolist())[1] for row in series])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.012)
    assert np.mean(p < 0.01) <= 0.016
    assert np.mean([moved(row) != 0 for row in series]) <= 0.016


def test_a_run_that_wanders_is_seen() -> None:
    """An autoregression of 0.6 over 90 trials; and a step of 10 % at 3 % spread."""
    draw = np.random.default_rng(8)
    seen = 0
    for _ in range(200):
        noise, values = draw.normal(0, 0.03, 90), np.zeros(90)
        for i in range(1, 90):
            values[i] = 0.6 * values[i - 1] + noise[i]
        likeness, p = succession(np.exp(values).tolist())
        seen += p < 0.01 and likeness > 0.3
    assert seen > 180
    step = np.exp(draw.normal(0, 0.03, 90)) * np.where(np.arange(90) < 45, 1, 1.1)
    assert moved(step) == pytest.approx(0.1, abs=0.03)


def test_the_slope_of_a_line_is_its_own_and_that_of_noise_holds_zero_as_often_as_it_says() -> None:
    times = np.arange(7200) / 3600
    found = slope(times, 5 + 3 * times)
    assert found is not None and found.value == pytest.approx(3) and found.low == pytest.approx(found.high)
    flat = slope(times, np.full(7200, 5.0))
    assert flat is not None and [flat.value, flat.low, flat.high] == pytest.approx([0, 0, 0], abs=1e-9)
    draw = np.random.default_rng(1)
    hits = sum(one.low <= 0 <= one.high for _ in range(400) if (one := slope(times, draw.normal(0, 1, 7200))))
    assert 400 * 0.92 < hits < 400 * 0.98


@pytest.mark.parametrize("values", [[], [1.0] * 9, [math.nan] * 100, [1.0] * 5 + [math.nan] * 95])
def test_few_values_have_no_slope(values: list[float]) -> None:
    assert slope(np.arange(len(values), dtype=float), np.array(values)) is None
