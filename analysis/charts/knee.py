"""How far can I push: response and share answered against the rate that was offered."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from analysis.answers import capacity
from analysis.charts import axes
from contracts.judge import LEAST_ANSWERED

NAME, TITLE = "knee", "How far can it be pushed?"
READ = (
    "Each point is an offered rate: the centre of its repetitions at the objective's percentile, over all planned "
    "requests, with their range. A cross marks a rate at which less than "
    f"{100 * LEAST_ANSWERED:.0f} % of the requests were answered or the percentile lies among the unanswered: "
    "saturated. The dashed line is the objective; the capacity is where a block first misses it on the way up, "
    "interpolated between the rates tested; trials that do not count are left out. " + axes.HOLLOW
)
data, caption = capacity.data, capacity.caption


def draw(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Response against rate, on logarithmic axes."""
    top = float(frame["response_ns"].replace(np.inf, np.nan).max())
    drawn = frame[["label", "strategy", "rate", "response_ns", "low_ns", "high_ns", "saturated", "limit_ns", "why"]]
    drawn = drawn.replace(np.inf, top * 1.6).rename(columns={"response_ns": "y", "low_ns": "low", "high_ns": "high"})
    drawn = drawn.assign(answered=[f"{100 * share:.1f} %" for share in frame["achieved"]])
    rates = sorted(drawn["rate"].unique().tolist())
    x = alt.X(
        "rate:Q",
        title="requests/s offered",
        scale=axes.log(padding=14),
        axis=alt.Axis(values=rates, format=",", labelOverlap=True),
    )
    y = alt.Y(
        "y:Q",
        axis=axes.time_axis(
            str(frame["objective"].iloc[0]).split(" ")[0] + " response",
            pd.concat([drawn["low"], drawn["high"], drawn["limit_ns"]]),
        ),
        scale=axes.log(padding=10),
    )
    strategies = drawn["strategy"].tolist()
    colour = axes.color(strategies, strategies)
    picked = axes.pick()
    base = (
        alt.Chart(drawn)
        .transform_calculate(response=axes.time_text("y"))
        .encode(x=x, color=colour, opacity=axes.lit(picked))
    )
    tooltip = axes.tips("label:N; rate:Q[,]; response:N; answered:N; why:N")
    return alt.layer(
        alt.Chart(drawn).mark_rule(strokeDash=[6, 4], color=axes.GREY).encode(y="min(limit_ns):Q"),
        base.mark_line(strokeWidth=2).encode(y=y, detail="label:N").add_params(picked),
        base.mark_rule(strokeWidth=1.2).encode(y="low:Q", y2="high:Q"),
        base.transform_filter("!datum.saturated")
        .mark_point(size=55)
        .encode(
            y=y,
            shape=axes.shape(strategies),
            tooltip=tooltip,
            fill=axes.color(strategies, None),
            fillOpacity=axes.filled(),
        ),
        base.transform_filter("datum.saturated")
        .mark_point(shape="cross", angle=45, size=110, filled=True)
        .encode(y=y, tooltip=tooltip),
        *axes.hollow_points(base, drawn, y),
    ).properties(width="container", height=320)
