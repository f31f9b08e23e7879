"""From trials to figures, and from the repetitions of a cell to one figure with its interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.duet import beside, is_alone
from analysis.findings import parsed
from analysis.histograms import MARKED_BELOW, SLOT_SHARE, WITHHELD_BELOW
from analysis.ingest.trials import BY_INTENDED_TIME
from analysis.metrics import METRICS, Metric
from analysis.model import Dataset, frame
from analysis.statistics.interval import centre, middle
from contracts.declared import PASSED

CONFIDENCE = 0.95
# What a trial must have come to for its figures to count: one that met a limit tells how many it held, and no more.
COUNTS_AT_A_LIMIT = ("held",)
BY_TIME, BARRED = "by intended time", "barred"
WORST_LAST = ("solid", BY_TIME, "marked", BARRED, "withheld", "absent")
# Findings after which a cost is no property of the server: the load was not sustained, or its replies are not those
# that the server counts.
BARRING = ("SV6", "DT9")


def metrics_table(dataset: Dataset) -> pd.DataFrame:
    """One row per trial and metric, controls too, of a dataset with findings. A trial that does not count for a metric
    has it `absent`, as one of a duet that ran alone has its costs; one of which no verdict on it can rest has it
    `barred`."""
    barred = barred_trials(dataset.findings)
    keys = zip(dataset.trials["run"], dataset.trials["trial"], strict=True)
    is_barred = np.array([key in barred for key in keys], dtype=bool)
    alone = is_alone(dataset.trials).to_numpy(dtype=bool)
    parts = [
        _of_metric(dataset.trials, metric, is_barred & metric.is_cost, alone & metric.is_cost)
        for metric in METRICS.values()
    ]
    return frame("metrics", pd.concat(parts).sort_index(kind="stable"))


def barred_trials(findings: pd.DataFrame) -> set[tuple[str, int]]:
    """The (run, trial) that findings of BARRING name."""
    told = [one for one in parsed(findings) if one.check in BARRING and one.severity != "info"]
    return {(one.run, trial) for one in told for trial in one.trials}


def _of_metric(
    trials: pd.DataFrame, metric: Metric, is_barred: npt.NDArray[np.bool_], is_absent: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    allowed = PASSED if metric.name in COUNTS_AT_A_LIMIT else ("ok",)
    counts = trials["outcome"].isin(allowed).to_numpy(dtype=bool, na_value=False) & ~is_absent
    value = np.where(counts, trials[metric.column].to_numpy(dtype=float), np.nan)
    tail = np.where(counts, trials[metric.tail].to_numpy(dtype=float), np.nan) if metric.tail else np.nan * value
    is_by_time = trials["counted_by"].eq(BY_INTENDED_TIME).to_numpy(dtype=bool, na_value=False)
    is_by_time &= metric.is_cost or metric.name == "throughput"
    quality = np.select(
        [tail < WITHHELD_BELOW, np.isnan(value), is_barred, tail < MARKED_BELOW, is_by_time],
        ["withheld", "absent", BARRED, "marked", BY_TIME],
        "solid",
    )
    return pd.DataFrame(
        {
            "run": trials["run"], "trial": trials["trial"], "metric": metric.name,
            "value": np.where(quality == "withheld", np.nan, value), "tail_events": tail, "quality": quality,
        },
        index=trials.index,
    )  # fmt: skip


def figures_of_trials(dataset: Dataset) -> pd.DataFrame:
    """The metrics on which a verdict may rest, with run, trial, block, cell, control, strategy and of a duet the cell
    beside: without what is `barred` and without the trials that a finding makes invalid."""
    figures = _figures(dataset)
    return figures[figures["quality"] != BARRED]


def _figures(dataset: Dataset) -> pd.DataFrame:
    resolutions = [metric.resolution for metric in METRICS.values() if metric.resolution]
    keys = dataset.trials[["run", "trial", "block", "cell", "control", "strategy", *resolutions]]
    keys = keys.assign(beside=beside(dataset.trials, "cell").fillna(""))
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
    table = _figures(dataset)
    measured = table[~table["control"]]
    rows = [
        {"run": run, "cell": cell, "metric": name} | _of_cell(members, METRICS[str(name)])
        for (run, cell, name), members in measured.groupby(["run", "cell", "metric"], sort=False)
    ]
    return frame("estimates", rows)


def resolution(metric: Metric, members: pd.DataFrame, value: float) -> float:
    """What the figure of a cell is known to, in its unit, however alike its repetitions are."""
    if metric.resolution:
        return float(np.nan_to_num(members[metric.resolution].median()))
    return value * SLOT_SHARE if metric.unit == "ns" and math.isfinite(value) else 0.0


def by_block(known: pd.DataFrame) -> list[float]:
    """The figures of a cell. A duet measures its baseline beside each rival: the figures of one block are one."""
    if not known["beside"].any():
        return [float(value) for value in known["value"]]
    return [middle(own.tolist()) for _, own in known.groupby("block")["value"]]


def _of_cell(members: pd.DataFrame, metric: Metric) -> dict[str, Any]:
    known = members[members["value"].notna()]
    qualities = set((members if known.empty else known)["quality"])
    quality = next((word for word in reversed(WORST_LAST) if word in qualities), "absent")
    if known.empty:
        return {"n": 0, "method": "no repetition", "quality": quality}
    found = centre(by_block(known), CONFIDENCE)
    step = resolution(metric, known, found.value)
    # Repetitions that are all alike say what the figure is known to, and not that it is exact; nan stays nan.
    low, high = (float(np.minimum(found.low, found.value - step)), float(np.maximum(found.high, found.value + step)))
    return {
        "value": found.value, "low": low, "high": high, "confidence": found.confidence, "n": found.n,
        "method": found.method, "quality": quality,
    }  # fmt: skip
