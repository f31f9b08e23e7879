"""Runs with a known truth, and what the product says of them: for the tests and tests/bench of the verdicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from analysis.contrasts import MARGIN, Measured, controls, decided
from analysis.metrics import METRICS, PRIMARY
from analysis.statistics.verdict import BETTER, WORSE

SPREAD, BLOCKS = 0.03, 0.08  # of a measurement within its block, and of the blocks
BASE = "c0"
DIFFERENT = (BETTER, WORSE)


def drawn(
    draw: np.random.Generator, blocks: int, effects: Sequence[float], *, spread: float = SPREAD, noisy: str = "",
    times: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """Logarithms of the baseline, its control and a cell for each effect, a column for each block. What is `noisy`
    spreads `times` as much: the first `cell` that is compared, or the `baseline` with its control."""
    each = np.full(len(effects) + 2, spread)
    each[{"": slice(0, 0), "cell": slice(2, 3), "baseline": slice(0, 2)}[noisy]] *= times
    shared = draw.normal(0, BLOCKS, blocks)
    noise = draw.normal(size=(len(each), blocks)) * each[:, None]
    return np.asarray(noise + shared + np.log1p([0, 0, *effects])[:, None])


def rows(logs: np.ndarray) -> list[dict[str, Any]]:
    """The contrasts of such a run, as the product makes them of its figures: that of the control, then each cell's."""
    blocks = range(1, logs.shape[1] + 1)
    names = [BASE, BASE, *(f"c{n}" for n in range(1, len(logs) - 1))]
    figures = 20_000 * np.exp(logs)
    measured = {
        (PRIMARY, name, n == 1, ""): dict(zip(blocks, row, strict=True))
        for n, (name, row) in enumerate(zip(names, figures.tolist(), strict=True))
    }
    cells = [{"cell": name, "struck": False, "good": len(blocks), "outcome": "ok"} for name in (BASE, *names[2:])]
    pairs = dict.fromkeys(names[2:], BASE)
    return decided(METRICS[PRIMARY], cells, {}, measured, pairs, controls(measured, {}), MARGIN)


def duet(
    draw: np.random.Generator, blocks: int, effects: Sequence[float], shared: float = 0.10, own: float = 0.01
) -> list[dict[str, Any]]:
    """The contrasts of a duet, the control's first: what is common to a pair spreads by `shared`, what each of the two
    has of its own by `own`."""
    measured: dict[Measured, dict[int, float]] = {}
    names = [BASE, *(f"c{n}" for n in range(1, len(effects) + 1))]
    for name, effect in zip(names, [0.0, *effects], strict=True):
        logs = draw.normal(0, own, (2, blocks)) + draw.normal(0, shared, blocks) + np.log1p([[effect], [0.0]])
        for side, row in zip(((name, name == BASE, BASE), (BASE, False, name)), np.exp(logs).tolist(), strict=True):
            measured[(PRIMARY, *side)] = dict(enumerate(row, 1))
    cells = [{"cell": name, "struck": False, "good": blocks, "outcome": "ok", "duet": True} for name in names]
    pairs = dict.fromkeys(names[1:], BASE)
    return decided(METRICS[PRIMARY], cells, {}, measured, pairs, controls(measured, {}), MARGIN)


def words(logs: np.ndarray) -> list[str]:
    """The verdict on each cell."""
    return [str(row["verdict"]) for row in rows(logs)[1:]]


def upper_bound(count: int, of: int) -> float:
    """The 95 % bound of Clopper and Pearson, one-sided."""
    return 1.0 if count == of else float(stats.beta.ppf(0.95, count + 1, of - count))
