"""What a request costs the server: CPU time, user and system apart."""

from __future__ import annotations

import altair as alt
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.answers.shown import bracketed
from analysis.cells import standing
from analysis.charts import axes
from analysis.model import Dataset

NAME, TITLE = "cost", "What a request costs the server"
READ = (
    "Server CPU time per answered request, cheapest first: user time and, lighter, the kernel's. The line spans the "
    "95 % interval of their sum. Everything that a connection costs is in it, spread over its requests: a strategy "
    "whose calls grow with the number of idle connections is dear here."
)
ROW_PX, LABEL_PX = 20, 220
COLUMNS = {
    "label": "label", "strategy": "strategy", "cpu_us": "cpu_value", "cpu_low_us": "cpu_low", "cpu_high_us": "cpu_high",
    "user_us": "cpu_user_value", "system_us": "cpu_system_value",
    "memory_bytes": "memory_value", "memory_low_bytes": "memory_low", "memory_high_bytes": "memory_high",
}  # fmt: skip
MODES = {"user_us": "user", "system_us": "system"}


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per good cell with a known cost, cheapest first."""
    wide = standing(series.wide(dataset, ("cpu", "cpu_user", "cpu_system", "memory")))
    frame = pd.DataFrame({name: wide[source] for name, source in COLUMNS.items()})
    frame = frame[frame["cpu_us"].notna()].sort_values("cpu_us", kind="stable", ignore_index=True)
    frame.attrs["left_out"] = series.left_out_sentence(series.left_out(dataset))
    return frame


def draw(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """A stacked bar a row, the interval on it."""
    y = axes.rows(frame, LABEL_PX)
    modes = frame.melt(["label", "strategy"], list(MODES), "mode", "us").replace({"mode": MODES})
    # `user` is drawn first in every row, whatever the alphabet says.
    modes["place"] = modes["mode"].map({"user": 0, "system": 1})
    bars = (
        alt.Chart(modes)
        .mark_bar(height=9)
        .encode(
            x=alt.X("us:Q", title="server CPU time per request, µs", stack="zero", axis=alt.Axis(tickCount=8)),
            y=y,
            color=alt.Color(
                "mode:N",
                title=None,
                sort=["user", "system"],
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(domain=["user", "system"], range=["#2f7fd6", "#7db1ea"]),
            ),
            order=alt.Order("place:Q"),
            tooltip=axes.tips("label:N; mode:N; us:Q[.3~s]"),
        )
    )
    spans = (
        alt.Chart(frame).mark_rule(strokeWidth=1.5, color=axes.GREY).encode(x="cpu_low_us:Q", x2="cpu_high_us:Q", y=y)
    )
    return alt.layer(bars, spans).properties(width="container", height=max(80, ROW_PX * len(frame)))


def caption(frame: pd.DataFrame) -> str:
    """The cheapest and the dearest, and what the kernel's share is."""
    share = (frame["system_us"] / frame["cpu_us"]).median()
    first, last = frame.iloc[0], frame.iloc[-1]
    text = f"A request costs the server {_us(first)} of CPU time with {first['label']}"
    if len(frame) > 1:
        times = show.number(float(last["cpu_us"] / first["cpu_us"]), most=2)
        text += f", {_us(last)} with {last['label']} ({times} × as much)"
    if share == share:
        text += f"; {show.number(100 * float(share), most=2)} % of it is the kernel's (median)"
    return text + "." + str(frame.attrs.get("left_out", ""))


def _us(row: pd.Series) -> str:
    return bracketed(float(row["cpu_us"]), float(row["cpu_low_us"]), float(row["cpu_high_us"]), " µs")
