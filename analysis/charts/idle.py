"""The C10K question itself: what the same requests cost as more and more connections are held beside them."""

from __future__ import annotations

import altair as alt
import pandas as pd

from analysis.answers import growth
from analysis.charts import axes
from analysis.metrics import METRICS

NAME, TITLE = "idle", "What idle connections cost"
READ = (
    "The same requests from the same active connections, beside more and more that are only held; both axes are "
    "logarithmic. The line joins the centres of the repetitions and is no law; the bars span their 95 % intervals. "
    "At its end stands what was tested: whether the cost is flat or grows by so much for each 1,000 connections, with "
    "the interval of one slope per block. What lies beyond the sizes measured is not known."
)
data, caption = growth.data, growth.caption


def draw(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """Lines on log-log axes, what each grows by at its end."""
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
        axis=alt.Axis(values=[m * 10**k for k in range(-1, 6) for m in (1, 2, 5)], format="~g"),
    )
    picked = axes.pick()
    strategies = frame["strategy"].tolist()
    colour = axes.color(strategies, strategies)
    base = alt.Chart(frame).encode(x=x, color=colour, opacity=axes.lit(picked))
    ends = frame.sort_values("connections").groupby("label", as_index=False).tail(1)
    ends = ends.assign(text=[f"{row['label']} {growth.slope_text(row)}".strip() for row in ends.to_dict("records")])
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(y=y, detail="label:N").add_params(picked),
        base.mark_rule(strokeWidth=1.5).encode(y="low_us:Q", y2="high_us:Q"),
        base.mark_point(filled=True, size=60).encode(
            y=y, shape=axes.shape(strategies), tooltip=axes.tips("label:N; connections:Q; cpu_us:Q[.3~s]")
        ),
        alt.Chart(ends).mark_text(align="right", dy=-12, fontSize=12).encode(x=x, y=y, text="text:N", color=colour),
    ).properties(width="container", height=300)
