"""The C10K question itself: what the same requests cost as more and more connections are held beside them."""

from __future__ import annotations

import json
import math

import altair as alt
import pandas as pd

from analysis import format as show
from analysis.cells import FACTORS, INCIDENTAL, cell_table
from analysis.estimates import figures_of_trials
from analysis.figures import axes
from analysis.figures.base import Figure
from analysis.metrics import METRICS
from analysis.model import Dataset
from analysis.statistics.scaling import LEAST_LEVELS, exponent

NAME, TITLE = "idle", "What idle connections cost"
READ = (
    "The same requests from the same active connections, beside more and more that are only held; both axes are "
    "logarithmic, so a straight line is a power law and its slope the exponent: 0 is no growth, 1 growth in "
    "proportion. The line joins the centres of the repetitions, the bars span their 95 % intervals. The exponent's "
    "interval comes from one slope per block."
)
METRIC = "cpu"


def make(dataset: Dataset) -> Figure | None:
    frame = data(dataset)
    return None if frame.empty else Figure(NAME, TITLE, finding(frame), READ, frame, chart(frame))


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per good cell of a series that differs in connections only (three numbers of them or more, `active`
    fixed): label, strategy, connections, cpu_us, low_us, high_us, and the series' exponent with its interval."""
    cells = cell_table(dataset)
    if cells.empty:
        return pd.DataFrame()
    good = cells[~cells["struck"].astype(bool) & cells["outcome"].ne("dnf")]
    if good.empty:
        return pd.DataFrame()
    same = [name for name in FACTORS if name not in (*INCIDENTAL, "connections", "connect_rate_per_s")] + ["run"]
    key = good[same].map(lambda value: json.dumps(None if pd.isna(value) else str(value))).agg("|".join, axis=1)
    figures = figures_of_trials(dataset)
    figures = figures[(figures["metric"] == METRIC) & ~figures["control"].astype(bool) & figures["value"].notna()]
    estimates = dataset.estimates[dataset.estimates["metric"] == METRIC].set_index(["run", "cell"])
    rows = []
    for one in key.unique():
        members = good[key == one].sort_values("connections")
        if members["connections"].nunique() < LEAST_LEVELS:
            continue
        size = {row["cell"]: float(row["connections"]) for row in members.to_dict("records")}
        own = figures[(figures["run"] == members["run"].iloc[0]) & figures["cell"].isin(size)]
        slope = exponent(
            [([size[c] for c in block["cell"]], block["value"].tolist()) for _, block in own.groupby("block")]
        )
        for row in members.to_dict("records"):
            found = estimates.loc[(row["run"], row["cell"])]
            rows.append(
                {
                    "label": row["strategy"],
                    "strategy": row["strategy"],
                    "connections": int(row["connections"]),
                    "active": int(row["active"]),
                    "cpu_us": float(found["value"]),
                    "low_us": float(found["low"]),
                    "high_us": float(found["high"]),
                    "exponent": math.nan if slope is None else slope.value,
                    "exponent_low": math.nan if slope is None else slope.low,
                    "exponent_high": math.nan if slope is None else slope.high,
                }
            )
    return pd.DataFrame(rows).dropna(subset=["cpu_us"]) if rows else pd.DataFrame()


def chart(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Lines on log-log axes, the exponent at the end of each."""
    x = alt.X(
        "connections:Q",
        title="connections held",
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=alt.Axis(format=",", values=sorted(frame["connections"].unique().tolist())),
    )
    y = alt.Y(
        "cpu_us:Q",
        title=f"{METRICS[METRIC].title}, µs",
        scale=alt.Scale(type="log", nice=False, padding=10),
        axis=alt.Axis(values=[m * 10**k for k in range(-1, 6) for m in (1, 2, 5)], format="~g"),
    )
    picked = axes.pick()
    strategies = frame["strategy"].tolist()
    colour = axes.color(strategies, list(dict.fromkeys(strategies)))
    shown = alt.when(picked).then(alt.value(1)).otherwise(alt.value(0.15))
    base = alt.Chart(frame).encode(x=x, color=colour, opacity=shown)
    ends = frame.sort_values("connections").groupby("label", as_index=False).tail(1)
    ends = ends.assign(text=[f"{row['label']} {_slope(row)}".strip() for row in ends.to_dict("records")])
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(y=y, detail="label:N").add_params(picked),
        base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low_us:Q"), y2="high_us:Q"),
        base.mark_point(filled=True, size=60).encode(
            y=y,
            shape=axes.shape(strategies),
            tooltip=["label", "connections", alt.Tooltip("cpu_us:Q", format=".3~s")],
        ),
        alt.Chart(ends).mark_text(align="right", dy=-12, fontSize=12).encode(x=x, y=y, text="text:N", color=colour),
    ).properties(width="container", height=300)


def _slope(row: dict[object, object]) -> str:
    """Such as `∝ N^0.50 [0.48, 0.52]`; nothing where it is not known."""
    value, low, high = (float(str(row[name])) for name in ("exponent", "exponent_low", "exponent_high"))
    if math.isnan(value):
        return ""
    return f"∝ N^{value:.2f}" + ("" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]")


def finding(frame: pd.DataFrame) -> str:
    """Each strategy's growth, in words and as an exponent."""
    parts = []
    for label, rows in frame.groupby("label", sort=False):
        first, last = rows.sort_values("connections").iloc[[0, -1]].to_dict("records")
        times = last["cpu_us"] / first["cpu_us"]
        slope = _slope(last)
        parts.append(f"{label} {show.number(times, most=2)} ×{f' ({slope})' if slope else ''}")
    least, most = frame["connections"].min(), frame["connections"].max()
    return (
        f"From {least:,} to {most:,} connections with {frame['active'].iloc[0]:,} active, a request's server "
        f"CPU time grows: {', '.join(parts)}."
    )
