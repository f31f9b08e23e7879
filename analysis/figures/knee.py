"""How far can I push: response and share answered against the rate that was offered."""

from __future__ import annotations

import json

import altair as alt
import numpy as np
import pandas as pd

from analysis import format as show
from analysis.capacity import Objective, objective
from analysis.cells import FACTORS, INCIDENTAL, cell_table
from analysis.figures import axes, series
from analysis.figures.base import Figure
from analysis.model import Dataset
from analysis.statistics.knee import LEAST_ACHIEVED, Capacity, Rung, capacity

NAME, TITLE = "knee", "How far can it be pushed?"
READ = (
    "Each point is an offered rate: the median of its repetitions at the objective's percentile, over all planned "
    "requests, with their range. A cross marks a rate at which less than "
    f"{100 * LEAST_ACHIEVED:.0f} % of the requests were answered or the percentile lies among the unanswered: "
    "saturated. The dashed line is the objective; the capacity is where the line crosses it, block by block, "
    "interpolated between the rates tested."
)
LEAST_RATES = 3


def make(dataset: Dataset) -> Figure | None:
    frame = data(dataset)
    return None if frame.empty else Figure(NAME, TITLE, finding(frame), READ, frame, chart(frame))


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per rate of each series of cells that differs in the rate only (three rates or more): label, strategy,
    rate_per_s, response_ns, low_ns, high_ns, achieved, saturated, objective, limit_ns, and the series' capacity_per_s
    with its interval."""
    cells = cell_table(dataset)
    if cells.empty:
        return pd.DataFrame()
    others = [name for name in FACTORS if name not in (*INCIDENTAL, "rate_per_s")] + ["run"]
    key = cells[others].map(lambda value: json.dumps(None if pd.isna(value) else str(value))).agg("|".join, axis=1)
    rows: list[dict[str, object]] = []
    for one in key.unique():
        members = cells[(key == one) & cells["outcome"].ne("dnf")]
        if members["rate_per_s"].nunique() < LEAST_RATES or members["workload"].iloc[0] in ("closed", "churn"):
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
    rungs = trials.assign(response=responses, achieved=trials["answered_requests"] / trials["planned_requests"])
    blocks = [
        [Rung(float(r["rate_per_s"]), float(r["response"]), float(r["achieved"])) for r in block.to_dict("records")]
        for _, block in rungs.groupby("block")
    ]
    found = capacity([block for block in blocks if len(block) == members["rate_per_s"].nunique()], goal.limit_ns)
    rows = []
    for rate, same in rungs.groupby("rate_per_s"):
        values = same["response"].dropna().to_numpy(dtype=float)
        if not len(values):
            continue
        middle = float(np.median(values))
        rows.append(
            {
                "label": members["strategy"].iloc[0],
                "strategy": members["strategy"].iloc[0],
                "rate_per_s": float(rate),
                "response_ns": middle,
                "low_ns": float(values.min()),
                "high_ns": float(values.max()),
                "achieved": float(same["achieved"].median()),
                "saturated": bool(same["achieved"].median() < LEAST_ACHIEVED or np.isinf(middle)),
                "objective": str(goal),
                "limit_ns": float(goal.limit_ns),
                **_capacity(found),
            }
        )
    return rows


def _capacity(found: Capacity | None) -> dict[str, object]:
    nan = float("nan")
    if found is None:
        return {"capacity_per_s": nan, "capacity_low_per_s": nan, "capacity_high_per_s": nan, "is_bounded": False}
    e = found.estimate
    return {
        "capacity_per_s": e.value,
        "capacity_low_per_s": e.low,
        "capacity_high_per_s": e.high,
        "is_bounded": found.is_bounded,
    }


def chart(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Response against rate, on logarithmic axes."""
    top = float(frame["response_ns"].replace(np.inf, np.nan).max())
    drawn = frame.assign(
        y=frame["response_ns"].replace(np.inf, top * 1.6),
        low=frame["low_ns"].replace(np.inf, top * 1.6),
        high=frame["high_ns"].replace(np.inf, top * 1.6),
    )
    drawn["answered"] = [f"{100 * share:.1f} %" for share in drawn["achieved"]]
    drawn = drawn[["label", "strategy", "rate_per_s", "y", "low", "high", "saturated", "answered", "limit_ns"]]
    rates = sorted(drawn["rate_per_s"].unique().tolist())
    x = alt.X(
        "rate_per_s:Q",
        title="requests/s offered",
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=alt.Axis(values=rates, format="~s"),
    )
    y = alt.Y(
        "y:Q",
        axis=axes.time_axis(str(frame["objective"].iloc[0]).split(" ")[0] + " response"),
        scale=alt.Scale(type="log", nice=False, padding=10),
    )
    strategies = drawn["strategy"].tolist()
    colour = axes.color(strategies, list(dict.fromkeys(strategies)))
    picked = axes.pick()
    base = (
        alt.Chart(drawn)
        .transform_calculate(response=axes.time_text("y"))
        .encode(x=x, color=colour, opacity=alt.when(picked).then(alt.value(1)).otherwise(alt.value(0.15)))
    )
    tooltip = [
        "label",
        alt.Tooltip("rate_per_s:Q", format=","),
        alt.Tooltip("response:N", title="response"),
        "answered",
    ]
    return alt.layer(
        alt.Chart(drawn).mark_rule(strokeDash=[6, 4], color=axes.GREY).encode(y="min(limit_ns):Q"),
        base.mark_line(strokeWidth=2).encode(y=y, detail="label:N").add_params(picked),
        base.mark_rule(strokeWidth=1.2).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.transform_filter("!datum.saturated")
        .mark_point(filled=True, size=55)
        .encode(y=y, shape=axes.shape(strategies), tooltip=tooltip),
        base.transform_filter("datum.saturated")
        .mark_point(shape="cross", angle=45, size=110, filled=True)
        .encode(y=y, tooltip=tooltip),
    ).properties(width="container", height=320)


def finding(frame: pd.DataFrame) -> str:
    """Each strategy's capacity under the objective."""
    parts = []
    for label, rows in frame.groupby("label", sort=False):
        row = rows.iloc[0]
        if np.isnan(row["capacity_per_s"]):
            parts.append(f"{label} misses it in some block at {show.count(rows['rate_per_s'].min())}/s already")
        elif not row["is_bounded"]:
            parts.append(
                f"{label} at least {show.count(float(row['capacity_per_s']))}/s (the highest rate meets it in "
                "some block)"
            )
        else:
            spread = (row["capacity_high_per_s"] - row["capacity_low_per_s"]) / 2
            texts = [
                show.number(float(row[f"capacity{part}_per_s"]), 0.0 if np.isnan(spread) else spread)
                for part in ("", "_low", "_high")
            ]
            parts.append(f"{label} {texts[0]}/s" + ("" if np.isnan(spread) else f" [{texts[1]}, {texts[2]}]"))
    return f"Capacity within {frame['objective'].iloc[0]}: {'; '.join(parts)}."
