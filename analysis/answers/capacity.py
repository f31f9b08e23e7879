"""How far can I push: response and share answered against the rate that was offered."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.answers.objective import Objective, bars, objective
from analysis.answers.shown import bracketed, undetermined
from analysis.cells import RUNG, labels, series_key
from analysis.estimates import invalid_trials
from analysis.ingest.plan import traits
from analysis.model import Dataset
from analysis.statistics.interval import centre
from analysis.statistics.knee import Rung, capacity
from contracts.declared import PARAMETERS
from contracts.judge import LEAST_ANSWERED, several

APART = ("rate",)  # what tells the cells of a series apart
LEAST_RATES = 3
SEARCHED = "capacity"  # a workload whose rates are those that a search came to, however few
CLOSE = 1.15  # where the rates on either side of the knee are so close, there is nothing to refine
REFINED_BY = 4  # else the gap between them is cut into so many parts


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per rate of each series of cells that differs in the rate only (three rates or more, or of a search):
    label (the series'), strategy, rate, response_ns, low_ns, high_ns, `why` nothing may rest on it, achieved,
    saturated, objective, limit_ns, and of the series repetitions, capacity_per_s with its interval, below_per_s,
    above_per_s and again_per_s as of statistics.knee, and in `untold` the rates that were asked and of which no valid
    trial tells."""
    cells = dataset.cells
    key = series_key(cells, APART)
    cells = cells.assign(series=labels(cells, APART))
    rows: list[dict[str, object]] = []
    for one in key.unique():
        members = cells[(key == one) & cells["outcome"].ne("dnf")]
        workload = members["workload"].iloc[0] if len(members) else None
        if not traits(workload).paced or members["rate"].nunique() < (1 if workload == SEARCHED else LEAST_RATES):
            continue
        slo = dataset.runs.loc[dataset.runs["run"] == members["run"].iloc[0], "slo"]
        rows += _series(dataset, members, objective(slo.iloc[0] if len(slo) else None))
    return pd.DataFrame(rows)


def _series(dataset: Dataset, members: pd.DataFrame, goal: Objective) -> list[dict[str, object]]:
    trials = dataset.trials[
        (dataset.trials["run"] == members["run"].iloc[0]) & dataset.trials["cell"].isin(members["cell"])
    ]
    struck = invalid_trials(dataset.findings).get(str(members["run"].iloc[0]), set())
    is_ok = trials["outcome"].eq("ok") & ~trials["trial"].isin(struck)
    # Of a trial that does not count nothing is known; one whose server crashed did not carry its rate.
    counts = (is_ok | trials["outcome"].eq("crashed")).fillna(False)
    trials = trials[~trials["control"].fillna(False) & (trials["planned_requests"] > 0) & counts]
    if trials.empty:
        return []
    responses = series.percentiles(dataset, trials, goal.percent)
    achieved = (trials["answered_requests"] / trials["planned_requests"]).where(trials["outcome"].eq("ok"), 0.0)
    rungs = trials.assign(response=responses, achieved=achieved)
    blocks = [
        [Rung(float(r["rate"]), float(r["response"]), float(r["achieved"])) for r in block.to_dict("records")]
        for _, block in rungs.groupby("block")
    ]
    found = capacity(blocks, goal.limit_ns)
    if found is None:
        return []
    told = set(rungs.dropna(subset="response")["rate"].astype(float))
    untold = sorted(set(members["rate"].astype(float)) - told)
    e = found.estimate
    rows = []
    for rate, same in rungs.dropna(subset="response").groupby("rate"):
        values = same["response"].to_numpy(dtype=float)
        middle = centre(values.tolist()).value
        keys = same[["run", "cell"]].drop_duplicates().itertuples(index=False)
        forbid = dict.fromkeys(check for run, cell in keys for check in bars(dataset, run, cell, goal))
        rows.append(
            {
                "label": members["series"].iloc[0],
                "strategy": members["strategy"].iloc[0],
                "rate": float(rate),
                "response_ns": middle,
                "low_ns": float(values.min()),
                "high_ns": float(values.max()),
                "why": undetermined(*((1.0, 1.0) if len(values) > 1 else (math.nan, math.nan)), " ".join(forbid)),
                "achieved": float(same["achieved"].median()),
                "saturated": bool(same["achieved"].median() < LEAST_ANSWERED or np.isinf(middle)),
                "objective": str(goal),
                "limit_ns": float(goal.limit_ns),
                "capacity_per_s": e.value,
                "capacity_low_per_s": e.low,
                "capacity_high_per_s": e.high,
                "repetitions": len(blocks),
                "is_search": bool(members["cell"].str.contains(RUNG).all()),
                "is_bounded": found.is_bounded,
                "below_per_s": found.below_per_s,
                "above_per_s": found.above_per_s,
                "again_per_s": found.again_per_s,
                "untold": ",".join(f"{rate:.0f}" for rate in untold),
            }
        )
    return rows


def next_rates(row: Mapping[Hashable, Any]) -> str:
    """What to ask of a series next, from one of its rows: parameters, and why; nothing where the knee is known."""
    below, above = (float(row[name]) for name in ("below_per_s", "above_per_s"))
    least, most = (end if math.isnan(one) else one for one, end in ((below, 0.0), (above, math.inf)))
    if again := [rate for rate in row["untold"].split(",") if rate and least < float(rate) < most]:
        rates = several(PARAMETERS["rate"], again)
        return f"repeat what has no valid trial with the same command and -e workload=open -e {rates}"
    if row["is_search"]:
        return ""  # it has tried them
    if math.isnan(below):
        return f"look lower with the same command and -e workload=capacity -e rate={max(1, int(above) // 4)}"
    if not row["is_bounded"]:
        return f"look higher with the same command and -e workload=capacity -e rate={int(below) * 4}"
    if above / below < CLOSE:
        return ""
    between = sorted({int(below + (above - below) * part / REFINED_BY) for part in range(1, REFINED_BY)} - {int(below)})
    rates = several(PARAMETERS["rate"], [str(rate) for rate in between])
    return f"refine it with the same command and -e workload=open -e {rates}"


def caption(frame: pd.DataFrame) -> str:
    """The capacity of each series under its objective: the rate at which it is first missed on the way up."""
    parts: dict[str, list[str]] = {}
    for label, rows in frame.groupby("label", sort=False):
        row = rows.iloc[0]
        told = parts.setdefault(str(row["objective"]), [])
        again = float(row["again_per_s"])
        beyond = (
            "" if math.isnan(again) else f" (met again at {show.count(again)}/s, beyond a miss: look at that block)"
        )
        if np.isnan(row["capacity_per_s"]):
            told.append(f"{label} misses it in some block at {show.count(float(row['above_per_s']))}/s already{beyond}")
        elif not row["is_bounded"]:
            least = show.count(float(row["below_per_s"]))
            told.append(f"{label} at least {least}/s (in some block no rate that was tried misses it)")
        else:
            value, low, high = (float(row[f"capacity{part}_per_s"]) for part in ("", "_low", "_high"))
            # Where the blocks agree to the last digit they say no more than between which rates it lies.
            if low == high:
                low, high = float(row["below_per_s"]), float(row["above_per_s"])
            told.append(f"{label} {bracketed(value, low, high, '/s')}{beyond}")
    unsure = " One repetition does not tell how sure that is." if frame["repetitions"].min() < 2 else ""
    return "; ".join(f"Capacity within {goal}: {'; '.join(told)}" for goal, told in parts.items()) + f".{unsure}"
