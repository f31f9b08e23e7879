"""From trials to figures, and from the repetitions of a cell to one figure with its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.findings import parsed
from analysis.histograms import MARKED_BELOW, WITHHELD_BELOW
from analysis.metrics import METRICS, Metric
from analysis.model import Dataset, frame
from analysis.statistics.interval import centre
from contracts.declared import PASSED

CONFIDENCE = 0.95
# What a trial must have come to for its figures to count: one that met a limit tells how many it held, and no more.
COUNTS_AT_A_LIMIT = ("held",)
WORST_LAST = ("solid", "marked", "withheld", "absent")


def metrics_table(dataset: Dataset) -> pd.DataFrame:
    """One row per trial and metric, controls too. A trial that does not count for a metric has it `absent`."""
    parts = [_of_metric(dataset.trials, metric) for metric in METRICS.values()]
    return frame("metrics", pd.concat(parts).sort_index(kind="stable"))


def _of_metric(trials: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    allowed = PASSED if metric.name in COUNTS_AT_A_LIMIT else ("ok",)
    counts = trials["outcome"].isin(allowed).to_numpy(dtype=bool, na_value=False)
    value = np.where(counts, trials[metric.column].to_numpy(dtype=float), np.nan)
    tail = np.where(counts, trials[metric.tail].to_numpy(dtype=float), np.nan) if metric.tail else np.nan * value
    quality = np.select(
        [tail < WITHHELD_BELOW, np.isnan(value), tail < MARKED_BELOW], ["withheld", "absent", "marked"], "solid"
    )
    return pd.DataFrame(
        {
            "run": trials["run"], "trial": trials["trial"], "metric": metric.name,
            "value": np.where(quality == "withheld", np.nan, value), "tail_events": tail, "quality": quality,
        },
        index=trials.index,
    )  # fmt: skip


def figures_of_trials(dataset: Dataset) -> pd.DataFrame:
    """The metrics with run, trial, block, cell, control and strategy beside them, without the trials that a finding
    makes invalid."""
    keys = dataset.trials[["run", "trial", "block", "cell", "control", "strategy"]]
    # A run that was given twice is one run: its trials are no repetitions of themselves.
    keys, metrics = keys.drop_duplicates(["run", "trial"]), dataset.metrics.drop_duplicates(["run", "trial", "metric"])
    table = metrics.merge(keys, on=["run", "trial"], how="left")
    invalid = invalid_trials(dataset.findings)
    is_valid = [n not in invalid.get(run, ()) for run, n in zip(table["run"], table["trial"], strict=True)]
    return table[np.array(is_valid, dtype=bool)].assign(control=table["control"].fillna(False).astype(bool))


def invalid_trials(findings: pd.DataFrame) -> dict[str, set[int]]:
    """By run the trials that findings of severity `invalid` name."""
    found: dict[str, set[int]] = {}
    for finding in parsed(findings):
        if finding.is_invalid:
            found.setdefault(finding.run, set()).update(finding.trials)
    return found


def estimates_table(dataset: Dataset) -> pd.DataFrame:
    """One row per cell and metric, controls left out; without a repetition to rest on, `value` is nan and `n` 0."""
    table = figures_of_trials(dataset)
    measured = table[~table["control"]]
    rows = [
        {"run": run, "cell": cell, "metric": name} | _of_cell(members)
        for (run, cell, name), members in measured.groupby(["run", "cell", "metric"], sort=False)
    ]
    return frame("estimates", rows)


def _of_cell(members: pd.DataFrame) -> dict[str, Any]:
    known = members[members["value"].notna()]
    qualities = set((members if known.empty else known)["quality"])
    quality = next((word for word in reversed(WORST_LAST) if word in qualities), "absent")
    if known.empty:
        return {"n": 0, "method": "no repetition", "quality": quality}
    found = centre(known["value"].tolist(), CONFIDENCE)
    return {
        "value": found.value, "low": found.low, "high": found.high, "confidence": found.confidence, "n": found.n,
        "method": found.method, "quality": quality,
    }  # fmt: skip
