"""Cells of few blocks judged by their run's spread: by hand, and how often that errs where one of them spreads more."""

import math

import numpy as np
import pytest

from analysis.statistics import moderated
from analysis.statistics.family import compare, strictest
from tests.unit.analysis.simulated import drawn


def told(logs: np.ndarray, *, controlled: bool = True) -> list[bool]:
    """Of each cell whether it is called different."""
    base = logs[: 2 if controlled else 1]
    found = compare(moderated.shifts(logs[2:].tolist(), base.tolist(), strictest(len(logs) - 2)))
    return [one.within.low > 1 or one.within.high < 1 for one in found]


def test_the_runs_spread_by_hand() -> None:
    # Two effects taken out of [[1, 2], [3, 6]]: what is left is ±1/2 everywhere, four squares of 1/4 and one degree.
    square, degrees = moderated.residual(np.array([[1.0, 2.0], [3.0, 6.0]]))
    assert square == pytest.approx(1.0)
    assert degrees == 1


def test_a_cell_that_spreads_no_more_than_the_run_is_judged_by_it() -> None:
    quiet, loud = [0.1, 0.1, 0.1], [0.5, 0.1, -0.3]
    base = [[0.0, 0.02, -0.02], [0.0, -0.02, 0.02]]
    first, second, _ = moderated.shifts([quiet, loud, [0.0, 0.03, -0.03]], base, 0.95)
    assert (first.method, second.method) == ("geometric mean, moderated t", "geometric mean, Student's t")
    variance, freedom = moderated.residual(np.array([*base, quiet, loud, [0.0, 0.03, -0.03]]))
    # Its own variance is 0, of two degrees of freedom; a difference has 3/2 of the run's, and is widened.
    expected = math.sqrt(moderated.WIDENED * 1.5 * variance * (freedom - 2) / freedom / 3)
    assert first.t == pytest.approx((0.1, expected, freedom))


@pytest.mark.parametrize(("cells", "blocks", "controls"), [(2, 3, 2), (3, 2, 2), (3, 5, 2), (3, 3, 1)])
def test_where_there_is_no_pooling(cells: int, blocks: int, controls: int) -> None:
    draw = np.random.default_rng(1)
    logs = drawn(draw, blocks, [0.0] * cells)
    found = moderated.shifts(logs[2:].tolist(), logs[:controls].tolist(), 0.95)
    alone = logs[2:] - logs[:controls].mean(axis=0)
    assert {one.method for one in found} == {"geometric mean, Student's t"}
    assert [one.t[0] for one in found] == pytest.approx(alone.mean(axis=1))


@pytest.mark.parametrize(("noisy", "times"), [("cell", 2.0), ("cell", 5.0), ("cell", 10.0), ("baseline", 5.0)])
@pytest.mark.parametrize(("cells", "blocks"), [(3, 3), (8, 4)])
def test_one_that_spreads_more_is_not_called_different(noisy: str, times: float, cells: int, blocks: int) -> None:
    """All others differ, so the last step of Holm's procedure gives the whole risk to the one that does not."""
    draw = np.random.default_rng([cells, blocks, int(times)])
    others = 0.0 if noisy == "baseline" else 0.5
    false = 0
    for _ in range(500):
        words = told(drawn(draw, blocks, [0.0] + [others] * (cells - 1), noisy=noisy, times=times))
        false += any(words) if noisy == "baseline" else words[0]
    assert false <= 38  # of 500 at 5 % more are seen once in 200 times; without the rule there are 50 to 120


def test_the_control_and_the_run_find_more() -> None:
    draw, found = np.random.default_rng(8), {True: 0, False: 0}
    for _ in range(300):
        logs = drawn(draw, 3, [0.1] + [0.0] * 7)
        for controlled in found:
            found[controlled] += told(logs, controlled=controlled)[0]
    assert found[False] / 300 < 0.15 < 0.3 < found[True] / 300
