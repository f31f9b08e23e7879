"""The check of the measuring itself: a server against itself must not be called different."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.checks.base import Observation, seen
from analysis.contrasts import controls, known_to, measured_blocks, stated_margin, word_of
from analysis.estimates import figures_of_trials
from analysis.format import number
from analysis.metrics import METRICS
from analysis.model import Dataset
from analysis.statistics.verdict import BETTER, WORSE


def ds10_control_differs(dataset: Dataset) -> Iterable[Observation]:
    """All A/A comparisons of a run share the risk of a false one, so one run in twenty without any fault has this."""
    names = dataset.trials.drop_duplicates(["run", "cell"]).set_index(["run", "cell"])["strategy"]
    figures = figures_of_trials(dataset)
    for run, own in figures[figures["value"].notna()].groupby("run", sort=False):
        margin = stated_margin(dataset, str(run))
        for (metric, cell), again in controls(measured_blocks(own), known_to(own)).items():
            if again.found is None:
                continue
            word, _ = word_of(again.pair, again.found, METRICS[metric], margin, 0.0)
            if word not in (BETTER, WORSE):
                continue
            within = again.found.within
            ratio = again.found.single.value
            text = (
                f"{names[run, cell]} against itself differs in {METRICS[metric].title}: {number(ratio)} × "
                f"[{number(within.low)}, {number(within.high)}]"
            )
            yield seen({"run": run}, text, max(ratio, 1 / ratio), metric=metric, cell=cell, ratio=ratio)
