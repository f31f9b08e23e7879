"""Verdicts of several comparisons: Holm by hand, intervals and p that agree, and error rates by simulation."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import paired
from analysis.statistics.family import Comparison, holm, strictest
from analysis.statistics.family import compare as compare_shifts
from analysis.statistics.paired import ratio
from analysis.statistics.verdict import verdict
from tests.unit.analysis.simulated import BLOCKS, SPREAD, upper_bound

Pairs = tuple[Sequence[float], Sequence[float]]


def logs(pairs: Pairs) -> list[float]:
    return [math.log(a / b) for a, b in zip(*pairs, strict=True)]


def p_value(ours: Sequence[float], theirs: Sequence[float], highest: float = 0.95) -> float:
    return paired.shift(logs((ours, theirs)), highest).p


def compare(family: Sequence[Pairs]) -> list[Comparison]:
    return compare_shifts([paired.shift(logs(pairs), strictest(len(family))) for pairs in family])


@pytest.mark.parametrize(
    ("low", "high", "margin", "higher_is_better", "word"),
    [
        (1.05, 1.20, 0.03, True, "better"),
        (1.05, 1.20, 0.03, False, "worse"),
        (0.80, 0.95, 0.03, True, "worse"),
        (0.80, 0.95, 0.03, False, "better"),
        (0.80, 1.20, 0.03, True, "inconclusive"),
        (0.98, 1.02, 0.03, True, "equivalent"),
        (1.01, 1.02, 0.03, True, "equivalent"),  # a difference, but none that counts
        (1 / 1.03, 1.03, 0.03, True, "equivalent"),
        (1 / 1.031, 1.03, 0.03, True, "inconclusive"),
        (1.00, 1.05, 0.03, True, "inconclusive"),  # 1 is in it
        (1.01, 1.05, 0.03, True, "better"),
        (1.01, 1.05, 0.10, True, "equivalent"),
        (0.90, 1.20, 0.25, True, "equivalent"),
        (0.0, math.inf, 0.03, True, "inconclusive"),
        (1.5, math.inf, 0.03, False, "worse"),
        (math.nan, 1.0, 0.03, True, "not comparable"),
        (1.0, math.nan, 0.03, True, "not comparable"),
    ],
)
def test_one_word_for_an_interval(low: float, high: float, margin: float, higher_is_better: bool, word: str) -> None:
    assert verdict(low, high, margin, higher_is_better) == word


@pytest.mark.parametrize("floor", [0.0, 0.02, 0.1, 0.3, 3.0])
def test_noise_withholds_better_and_worse_and_adds_nothing(floor: float) -> None:
    """A noisier A/A once made more `equivalent`, of things that differ by 20 %."""
    assert verdict(0.98, 1.02, 0.03, True, floor) == "equivalent"
    assert verdict(0.90, 1.20, 0.03, True, floor) == "inconclusive"
    for low, high, word in ((1.1, 1.2, "better"), (1 / 1.2, 1 / 1.1, "worse")):
        assert verdict(low, high, 0.03, True, floor) == (word if floor < 0.2 else "inconclusive")


def test_holm_by_hand() -> None:
    # In order 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 · 1 that may not be below the one before. 0.005 ≤ 0.05/4 and
    # 0.01 ≤ 0.05/3, but 0.03 > 0.05/2: there it ends.
    adjusted, confidences = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert confidences == pytest.approx([1 - 0.05 / 3, 0.975, 0.975, 0.9875])


def test_a_family_of_one_is_no_family() -> None:
    assert holm([0.04]) == ([0.04], [0.95])
    assert holm([]) == ([], [])
    assert holm([0.6, 0.7])[0] == [1.0, 1.0]


def test_p_of_few_blocks_is_students() -> None:
    # Logarithms 1, 2, 3: mean 2, standard error 1/√3, t = 2 √3 of two degrees of freedom, whose tails are
    # 1 - t/√(2 + t²) = 1 - √12/√14.
    p = p_value([math.e, math.e**2, math.e**3], [1, 1, 1])
    assert p == pytest.approx(1 - math.sqrt(12 / 14))


def test_p_of_many_blocks_is_of_the_signed_ranks() -> None:
    # All six above: 2/64. The least of them below: its rank 1 is the sum, which two sets do not exceed: 2 · 2/64.
    assert p_value([1.1, 1.2, 1.3, 1.4, 1.5, 1.6], [1] * 6) == pytest.approx(2 / 64)
    assert p_value([1 / 1.1, 1.2, 1.3, 1.4, 1.5, 1.6], [1] * 6) == pytest.approx(4 / 64)


def test_p_of_no_difference_at_all_is_one() -> None:
    for n in (2, 5, 6, 10):
        assert p_value([3.0] * n, [3.0] * n) == 1
    assert p_value([3.0] * 3, [1.0] * 3) == 0


def test_p_as_another_implementation_has_it() -> None:
    draw = np.random.default_rng(5)
    for n in (6, 8, 12, 20):
        ours = np.exp(draw.normal(0.02, SPREAD, n))
        expected = stats.wilcoxon(np.log(ours), method="exact").pvalue
        assert p_value(ours.tolist(), [1.0] * n) == pytest.approx(expected, rel=1e-9)
    ours = np.exp(draw.normal(0.02, SPREAD, 5))
    assert p_value(ours.tolist(), [1.0] * 5) == pytest.approx(stats.ttest_1samp(np.log(ours), 0).pvalue)


def test_a_family_that_ranks_cannot_decide_is_students() -> None:
    # Ten blocks: 2/1024 at the least. Twenty-five comparisons ask for 0.002, twenty-six for less than that.
    ours, theirs = [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0], [1.0] * 10
    assert compare([(ours, theirs)] * 25)[0].single.method == "Hodges-Lehmann, signed-rank"
    found = compare([(ours, theirs)] * 26)[0]
    assert (found.single.method, found.within.method) == ("geometric mean, Student's t",) * 2
    assert found.p == p_value(ours, theirs, 1 - 0.05 / 26)


@pytest.mark.parametrize(("value", "word"), [(1.022, "equivalent"), (1.024, "better")])
def test_the_last_to_be_told_from_1_is_not_equivalent_by_an_interval_of_its_own(value: float, word: str) -> None:
    """Of eight that were all at the margin one was called equivalent in 6 % of the runs."""
    # Both differ from 1, so Holm's second step decides at 95 %, ± 0.52 %; two at once ask for 97.5 %, ± 0.61 %.
    family = [paired.Shift(20, "t", (math.log(one), 0.0025, 19)) for one in (value, value + 0.002)]
    found = compare_shifts(family)[0]
    assert found.within.confidence == 0.95 and 1 < found.within.low < found.within.high < 1.03
    assert found.word(0.03, True) == word


def simulated(draw: np.random.Generator, n: int, effects: list[float]) -> list[Pairs]:
    """One run of n blocks: strategies that differ from the baseline by these effects."""
    blocks = draw.normal(0, BLOCKS, n)
    base = np.exp(blocks + draw.normal(0, SPREAD, n)).tolist()
    return [((np.exp(blocks + draw.normal(0, SPREAD, n)) * (1 + effect)).tolist(), base) for effect in effects]


def words(family: list[Pairs]) -> list[str]:
    return [found.word(0.03, True) for found in compare(family)]


def test_interval_and_p_never_disagree() -> None:
    draw = np.random.default_rng(11)
    told = 0
    for n in (2, 3, 5, 6, 8, 10, 12):
        for _ in range(40):
            for found in compare(simulated(draw, n, [0, 0, 0.02, 0.05, 0.1, 0.3])):
                is_told = found.within.low > 1 or found.within.high < 1
                told += is_told
                assert is_told == (found.p_holm <= 0.05)
                assert (found.single.low > 1 or found.single.high < 1) == (found.p <= 0.05)
                assert found.within.low <= found.single.low and found.within.high >= found.single.high
    assert 200 < told < 1400


@pytest.mark.parametrize("n", [3, 5, 6, 10])
def test_no_difference_is_rarely_called_one(n: int) -> None:
    draw = np.random.default_rng([n, 2026])
    called = sum(words(simulated(draw, n, [0.0]))[0] in ("better", "worse") for _ in range(2000))
    assert called / 2000 <= 0.05
    assert upper_bound(called, 2000) <= 0.065


def test_nine_without_a_difference_are_rarely_called_one() -> None:
    draw = np.random.default_rng(9)
    called = sum(bool({"better", "worse"} & set(words(simulated(draw, 10, [0.0] * 9)))) for _ in range(2000))
    assert upper_bound(called, 2000) <= 0.065


def test_nine_of_which_five_differ_call_the_others_rarely() -> None:
    """What Holm's later steps allow must not cost the ones without a difference."""
    draw = np.random.default_rng(4)
    called = sum(
        bool({"better", "worse"} & set(words(simulated(draw, 10, [0.3] * 5 + [0.0] * 4))[5:])) for _ in range(1000)
    )
    assert upper_bound(called, 1000) <= 0.065


@pytest.mark.parametrize("others", [0, 8])
def test_ten_percent_is_found_in_ten_blocks(others: int) -> None:
    draw = np.random.default_rng(10)
    called = sum(words(simulated(draw, 10, [0.1] + [0.0] * others))[0] == "better" for _ in range(1000))
    assert called / 1000 >= 0.80


def test_what_is_the_same_is_called_so_where_blocks_suffice() -> None:
    draw = np.random.default_rng(20)
    assert sum(words(simulated(draw, 30, [0.0]))[0] == "equivalent" for _ in range(200)) >= 160


def test_outliers_cost_no_coverage() -> None:
    """One block in ten is twice as slow for ours or for theirs; the truth is 1.1."""
    draw = np.random.default_rng(12)
    for n in (6, 8, 12):
        noise = draw.normal(0, SPREAD, (2000, n)) + np.where(draw.random((2000, n)) < 0.1, math.log(2), 0) * np.sign(
            draw.normal(size=(2000, n))
        )
        found = [ratio(ours, [1.0] * n) for ours in (1.1 * np.exp(noise)).tolist()]
        covered = sum(one.low <= 1.1 <= one.high for one in found) / 2000
        assert covered == pytest.approx(found[0].confidence, abs=0.015)
