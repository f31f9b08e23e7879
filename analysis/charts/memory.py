"""What a held connection costs the server: memory."""

from __future__ import annotations

import altair as alt
import pandas as pd

from analysis import format as show
from analysis.charts import axes, cost
from analysis.model import Dataset

NAME, TITLE = "memory", "What a connection costs the server"
READ = (
    "Growth of the server's resident memory for each connection that it holds, on a logarithmic axis, least first; "
    "the line spans the 95 % interval. No row where the growth is too small to tell from the interpreter's own "
    "unrest. What the kernel keeps for a socket is not in it."
)


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per good cell whose memory is known, least first."""
    frame = cost.data(dataset)[["label", "strategy", "memory_bytes", "memory_low_bytes", "memory_high_bytes"]]
    return frame[frame["memory_bytes"] > 0].sort_values("memory_bytes", kind="stable", ignore_index=True)


def draw(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """A dot and its interval a row."""
    x = alt.X(
        "memory_bytes:Q",
        title="memory per connection, bytes",
        scale=axes.log(padding=12),
        axis=alt.Axis(format="~s", values=[10**k * m for k in range(7) for m in (1, 2, 5)], labelOverlap=True),
    )
    dots = alt.Chart(frame).encode(y=axes.rows(frame, cost.LABEL_PX))
    return alt.layer(
        dots.mark_rule(strokeWidth=1.5, color=axes.GREY)
        .encode(x="memory_low_bytes:Q", x2="memory_high_bytes:Q")
        .transform_filter("datum.memory_low_bytes > 0"),
        dots.mark_point(filled=True, size=60, shape="diamond", color="#d06a00", opacity=1).encode(
            x=x, tooltip=axes.tips("label:N; memory_bytes:Q[,.0f]")
        ),
    ).properties(width="container", height=max(80, cost.ROW_PX * len(frame)))


def caption(frame: pd.DataFrame) -> str:
    """The least and the most."""
    least, most = frame.iloc[0], frame.iloc[-1]
    low, high = (show.number(float(row["memory_bytes"])) for row in (least, most))
    more = f", {high} B with {most['label']}" if len(frame) > 1 else ""
    return f"A connection takes {low} B of the server's memory with {least['label']}{more}."
