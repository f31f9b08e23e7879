"""The exponent of a power law: by hand, and how often its interval covers the truth."""

import math

import numpy as np
import pytest

from analysis.statistics.scaling import exponent

INF, NAN = math.inf, math.nan
SIZES = [100.0, 1000.0, 10_000.0]


def test_exact_powers_have_their_exponent_and_no_width() -> None:
    found = exponent([(SIZES, [c * size**0.5 for size in SIZES]) for c in (1.0, 3.0, 0.2)])
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (found.confidence, found.n, found.method) == (0.95, 3, "slope per block, Student's t")


def test_two_blocks_by_hand() -> None:
    # Slopes over decades: (log 4 - log 1)/2 and (log 16 - log 1)/2 in the first and last point (the middle one lies at
    # the mean size and has no weight): log10(4)/2 = 0.30103, log10(16)/2 = 0.60206. Mean 0.451545, deviation 0.212860,
    # standard error 0.150515, t of one degree of freedom 12.7062: ± 1.912474.
    found = exponent([(SIZES, [1, 7, 4]), (SIZES, [1, 7, 16])])
    assert found is not None
    assert found.value == pytest.approx(0.451545, rel=1e-5)
    assert (found.low, found.high) == pytest.approx((0.451545 - 1.912474, 0.451545 + 1.912474), rel=1e-5)


def test_least_squares_of_uneven_sizes_by_hand() -> None:
    # log2 sizes 0, 1, 3 (mean 4/3), log2 figures 0, 2, 3: Sxy = 0·(-4/3) + 2·(-1/3) + 3·(5/3) = 13/3,
    # Sxx = 16/9 + 1/9 + 25/9 = 14/3, slope 13/14.
    found = exponent([([8, 1, 2], [8, 1, 4])])
    assert found is not None
    assert found.value == pytest.approx(13 / 14)


def test_one_block_has_no_interval() -> None:
    found = exponent([(SIZES, [5, 5, 5])])
    assert found is not None
    assert found.value == pytest.approx(0, abs=1e-12)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert (found.n, found.method) == (1, "one block")


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [([100, 1000], [1, 2])],
        [([100, 1000, 1000], [1, 2, 3])],
        [(SIZES, [1, INF, 3])],
        [(SIZES, [1, NAN, 3])],
        [(SIZES, [1, 0, 3])],
    ],
    ids=["none", "two sizes", "one size twice", "never answered", "not measured", "nothing"],
)
def test_fewer_than_three_sizes_tell_no_exponent(blocks: list[tuple[list[float], list[float]]]) -> None:
    assert exponent(blocks) is None


def test_a_block_that_lacks_a_size_is_left_out() -> None:
    found = exponent([(SIZES, [1, 10, 100]), (SIZES, [1, 10, 100]), (SIZES, [1, NAN, 1e9])])
    assert found is not None
    assert found.value == pytest.approx(1)
    assert found.n == 2


@pytest.mark.parametrize("blocks", [3, 10])
def test_the_interval_covers_the_truth_and_sees_growth(blocks: int) -> None:
    """Exponent 0.05, blocks differ by 8 %, each trial by 3 %: 2,000 runs, three standard errors of 95 % are 1.5 %.

    One slope varies by 0.03 · √2 / log(100) = 0.00921 around the truth, so with ten blocks the interval is 0.0066 to
    either side and growth is always seen.
    """
    draw = np.random.default_rng([1, blocks])
    sizes = np.array(SIZES)
    covered = seen = 0
    for _ in range(2000):
        block, own = draw.normal(0, 0.08, (blocks, 1)), draw.normal(0, 0.03, (blocks, 3))
        figures = 30 * sizes**0.05 * np.exp(block + own)
        found = exponent([(SIZES, row) for row in figures.tolist()])
        assert found is not None
        covered += found.low <= 0.05 <= found.high
        seen += found.low > 0
    assert 0.935 <= covered / 2000 <= 0.965
    assert seen / 2000 > (0.95 if blocks == 10 else 0.5)


def test_without_growth_it_is_claimed_in_at_most_5_percent() -> None:
    """2,000 runs of ten blocks; three standard errors of 5 % are 1.5 %."""
    draw = np.random.default_rng(2)
    figures = 30 * np.exp(draw.normal(0, 0.08, (2000, 10, 1)) + draw.normal(0, 0.03, (2000, 10, 3)))
    claimed = 0
    for run in figures.tolist():
        found = exponent([(SIZES, row) for row in run])
        assert found is not None
        claimed += not found.low <= 0 <= found.high
    assert claimed / 2000 <= 0.065
