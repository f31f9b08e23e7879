"""The check of the measuring itself: a server against itself must not be called different."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.checks.base import Observation, seen
from analysis.contrasts import controls, measured_blocks
from analysis.estimates import figures_of_trials
from analysis.format import number
from analysis.metrics import METRICS
from analysis.model import Dataset
from analysis.statistics.verdict import INCONCLUSIVE, verdict


def ds10_control_differs(dataset: Dataset) -> Iterable[Observation]:
    """All A/A comparisons of a run share the risk of a false one, so one run in twenty without any fault has this."""
    names = dataset.trials.drop_duplicates(["run", "cell"]).set_index(["run", "cell"])["strategy"]
    figures = figures_of_trials(dataset)
    for run, measured in measured_blocks(figures[figures["value"].notna()]).items():
        for (metric, cell), again in controls(measured).items():
            if again.found is None:
                continue
            within = again.found.within
            if verdict(within.low, within.high, 0.0, True) == INCONCLUSIVE:
                continue
            ratio = again.found.single.value
            text = (
                f"{names[run, cell]} against itself differs in {METRICS[metric].title}: {number(ratio)} × "
                f"[{number(within.low)}, {number(within.high)}]"
            )
            yield seen({"run": run}, text, max(ratio, 1 / ratio), metric=metric, cell=cell, ratio=ratio)
