"""How far can I push: response and share answered against the rate that was offered."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.answers.objective import Objective, objective
from analysis.answers.shown import bracketed
from analysis.cells import series_key
from analysis.ingest.plan import traits
from analysis.model import Dataset
from analysis.statistics.knee import LEAST_ACHIEVED, Rung, capacity
from analysis.statistics.paired import Estimate

LEAST_RATES = 3
NO_CAPACITY = Estimate(math.nan, math.nan, math.nan, math.nan, 0, "missed by some block at once")


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per rate of each series of cells that differs in the rate only (three rates or more): label, strategy,
    rate_per_s, response_ns, low_ns, high_ns, achieved, saturated, objective, limit_ns, and the series' capacity_per_s
    with its interval, and whether it is a search."""
    cells = dataset.cells
    key = series_key(cells, ("rate",))
    rows: list[dict[str, object]] = []
    for one in key.unique():
        members = cells[(key == one) & cells["outcome"].ne("dnf")]
        if members["rate"].nunique() < LEAST_RATES or not traits(members["workload"].iloc[0]).paced:
            continue
        slo = dataset.runs.loc[dataset.runs["run"] == members["run"].iloc[0], "slo"]
        rows += _series(dataset, members, objective(slo.iloc[0] if len(slo) else None))
    return pd.DataFrame(rows)


def _series(dataset: Dataset, members: pd.DataFrame, goal: Objective) -> list[dict[str, object]]:
    trials = dataset.trials[
        (dataset.trials["run"] == members["run"].iloc[0]) & dataset.trials["cell"].isin(members["cell"])
    ]
    trials = trials[~trials["control"].fillna(False) & (trials["planned_requests"] > 0)]
    responses = series.percentiles(dataset, trials, goal.percent)
    # A trial that crashed or is invalid did not carry its rate, however fast its answers were.
    achieved = (trials["answered_requests"] / trials["planned_requests"]).where(trials["outcome"].eq("ok"), 0.0)
    rungs = trials.assign(response=responses, achieved=achieved)
    blocks = [
        [Rung(float(r["rate"]), float(r["response"]), float(r["achieved"])) for r in block.to_dict("records")]
        for _, block in rungs.groupby("block")
    ]
    # Each block of a search has rates of its own; of a ladder that was planned a block must have them all.
    is_search = bool(members["cell"].str.contains("@").all())
    whole = [block for block in blocks if is_search or len(block) == members["rate"].nunique()]
    found = capacity(whole, goal.limit_ns)
    e = found.estimate if found else NO_CAPACITY
    rows = []
    for rate, same in rungs.dropna(subset="response").groupby("rate"):
        values = same["response"].to_numpy(dtype=float)
        middle = float(np.median(values))
        rows.append(
            {
                "label": members["strategy"].iloc[0],
                "strategy": members["strategy"].iloc[0],
                "rate": float(rate),
                "response_ns": middle,
                "low_ns": float(values.min()),
                "high_ns": float(values.max()),
                "achieved": float(same["achieved"].median()),
                "saturated": bool(same["achieved"].median() < LEAST_ACHIEVED or np.isinf(middle)),
                "objective": str(goal),
                "limit_ns": float(goal.limit_ns),
                "capacity_per_s": e.value,
                "capacity_low_per_s": e.low,
                "capacity_high_per_s": e.high,
                "is_search": is_search,
                "is_bounded": found is not None and found.is_bounded,
            }
        )
    return rows


def meets(frame: pd.DataFrame) -> pd.Series:
    """True for each rate that meets the objective and was carried."""
    return (frame["response_ns"] <= frame["limit_ns"]) & (frame["achieved"] >= LEAST_ACHIEVED)


def caption(frame: pd.DataFrame) -> str:
    """Each strategy's capacity under the objective."""
    parts = []
    for label, rows in frame.groupby("label", sort=False):
        row = rows.iloc[0]
        if np.isnan(row["capacity_per_s"]):
            parts.append(f"{label} misses it in some block at {show.count(rows['rate'].min())}/s already")
        elif not row["is_bounded"]:
            least = show.count(float(row["capacity_per_s"]))
            parts.append(f"{label} at least {least}/s (the highest rate meets it in some block)")
        else:
            value, low, high = (float(row[f"capacity{part}_per_s"]) for part in ("", "_low", "_high"))
            parts.append(f"{label} {bracketed(value, low, high, '/s')}")
    return f"Capacity within {frame['objective'].iloc[0]}: {'; '.join(parts)}."
