"""The C10K question itself: what the same requests cost as more and more connections are held beside them."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from analysis.answers import growth
from analysis.charts import axes
from analysis.metrics import METRICS

NAME, TITLE = "idle", "What idle connections cost"
READ = (
    "The same requests from the same active connections, beside more and more that are only held; both axes are "
    "logarithmic. Points are the centres of the repetitions; the bars span their 95 % intervals, of two repetitions "
    "their range. A solid line is what was fitted and passed its test, at its end in words: the cost is flat, or a "
    "straight line that grows by so much for each 1,000 connections (bent here, for the axes are logarithmic), with "
    "the interval of one slope per block. Dots only join points of which no such line is true. What lies beyond the "
    "sizes measured is not known. " + axes.HOLLOW
)
CURVE = 40  # points of a fitted line
data, caption = growth.data, growth.caption


def draw(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Points and the lines fitted to them on log-log axes, what each grows by at its end."""
    x = alt.X(
        "connections:Q",
        title="connections held",
        scale=axes.log(padding=14),
        axis=alt.Axis(format=",", values=sorted(frame["connections"].unique().tolist())),
    )
    y = alt.Y(
        "cpu_us:Q",
        title=f"{METRICS[growth.METRIC].title}, µs",
        scale=axes.log(padding=10),
        axis=alt.Axis(values=axes.span_ticks(frame, "low_us", "cpu_us", "high_us"), format="~g", labelOverlap=True),
    )
    picked = axes.pick()
    strategies = frame["strategy"].tolist()
    colour = axes.color(strategies, strategies)
    base = alt.Chart(frame).encode(x=x, color=colour, opacity=axes.lit(picked))
    ends = frame.sort_values("connections").groupby("label", as_index=False).tail(1)
    ends = ends.assign(text=[f"{row['label']}: {growth.slope_text(row)}".strip() for row in ends.to_dict("records")])
    fitted = alt.Chart(_fitted(frame)).encode(x=x, color=colour, opacity=axes.lit(picked))
    return alt.layer(
        base.transform_filter("datum.model != 'constant' && datum.model != 'line'")
        .mark_line(strokeWidth=1.5, strokeDash=[1, 5])
        .encode(y=y, detail="label:N"),
        fitted.mark_line(strokeWidth=2).encode(y=y, detail="label:N"),
        base.mark_rule(strokeWidth=1.5).encode(y="low_us:Q", y2="high_us:Q"),
        base.mark_point(size=60)
        .encode(
            y=y, shape=axes.shape(strategies), fill=axes.color(strategies, None), fillOpacity=axes.filled(),
            tooltip=axes.tips("label:N; connections:Q; cpu_us:Q[.3~s]; why:N"),
        )
        .add_params(picked),
        alt.Chart(ends)
        .mark_text(align="right", baseline="bottom", dx=8, dy=-12)
        .encode(x=x, y=y, text="text:N", color=colour),
        *axes.hollow_points(base, frame, y),
    ).properties(width="container", height=300)  # fmt: skip


def _fitted(frame: pd.DataFrame) -> pd.DataFrame:
    """Of each series that is flat or a line: places on what was fitted, from its least size to its most."""
    parts = [pd.DataFrame(columns=["label", "strategy", "connections", "cpu_us"])]
    for _, rows in frame[frame["model"].isin(growth.FITTED)].groupby("label", sort=False):
        sizes, row = np.geomspace(rows["connections"].min(), rows["connections"].max(), CURVE), rows.iloc[0]
        cost = row["fit_start_us"] + row["fit_rise_us"] * sizes / growth.PER
        parts.append(pd.DataFrame({"connections": sizes, "cpu_us": cost}).assign(**row[["label", "strategy"]]))
    made = pd.concat([part.astype({"connections": float, "cpu_us": float}) for part in parts], ignore_index=True)
    return made[made["cpu_us"] > 0]
