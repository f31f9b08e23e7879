"""What a request costs the server: CPU time, user and system apart."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from analysis import format as show
from analysis.answers import alone, series
from analysis.answers.comparison import MOST_NAMED
from analysis.answers.doubt import doubts
from analysis.answers.full import BOUND, full
from analysis.answers.shown import bracketed, is_forbidden, undetermined
from analysis.cells import standing
from analysis.charts import axes
from analysis.findings import some
from analysis.model import Dataset

NAME, TITLE = "cost", "What a request costs the server"
READ = (
    "Server CPU time per answered request, cheapest first: user time and, lighter, the kernel's. The line spans the "
    "95 % interval of their sum, of two repetitions their range. Everything that a connection costs is in it, spread "
    "over its requests: a strategy whose calls grow with the number of idle connections is dear here. " + axes.HOLLOW
)
COLUMNS = {
    "label": "label", "strategy": "strategy", "cpu_us": "cpu_value", "cpu_low_us": "cpu_low", "cpu_high_us": "cpu_high",
    "user_us": "cpu_user_value", "system_us": "cpu_system_value",
    "memory_bytes": "memory_value", "memory_low_bytes": "memory_low", "memory_high_bytes": "memory_high",
}  # fmt: skip
MODES = {"user_us": "user", "system_us": "system"}
WORDS_ROOM = 1.6  # of an axis that has words beside its marks


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per good cell with a known cost, cheapest first; `why` nothing may rest on its figure, or only that it
    costs so much at least."""
    frame = of_cells(dataset, "cpu")
    is_full = full(dataset)
    least = [key in is_full for key in zip(frame.pop("run"), frame.pop("cell"), strict=True)]
    frame["why"] = frame["why"].where(frame["why"].ne("") | ~pd.Series(least, frame.index, dtype=bool), BOUND)
    frame = frame[frame["cpu_us"].notna()].sort_values("cpu_us", kind="stable", ignore_index=True)
    loads = list(dict.fromkeys(map(alone.load, standing(dataset.cells).to_dict("records"))))
    frame.attrs["load"] = f"At {loads[0]} a" if len(loads) == 1 else "A"
    frame.attrs["left_out"] = series.left_out_sentence(series.left_out(dataset))
    return frame


def of_cells(dataset: Dataset, metric: str) -> pd.DataFrame:
    """The columns of COLUMNS of each cell that stands, and `why` nothing may rest on its figure of this metric."""
    wide = standing(series.wide(dataset, ("cpu", "cpu_user", "cpu_system", "memory")))
    doubt = doubts(dataset)
    ends = wide[["run", "cell", f"{metric}_low", f"{metric}_high"]].itertuples(index=False)
    why = [undetermined(low, high, " ".join(doubt.get((run, cell, metric), ()))) for run, cell, low, high in ends]
    columns = {"run": "run", "cell": "cell", **COLUMNS}
    return pd.DataFrame({name: wide[source] for name, source in columns.items()}).assign(why=why)


def draw(frame: pd.DataFrame) -> alt.TopLevelMixin:
    """A stacked bar a row, the interval on it."""
    y = axes.rows(frame)
    modes = frame.melt(["label", "strategy", "why"], list(MODES), "mode", "us").replace({"mode": MODES})
    # `user` is drawn first in every row, whatever the alphabet says.
    modes["place"] = modes["mode"].map({"user": 0, "system": 1})
    colours = alt.Scale(domain=["user", "system"], range=["#2f7fd6", "#7db1ea"])
    room: Any = {"domainMax": WORDS_ROOM * float(frame["cpu_us"].max())} if frame["why"].any() else {}
    bars = (
        alt.Chart(modes)
        .mark_bar(height=9)
        .encode(
            x=alt.X(
                "us:Q",
                title="server CPU time per request, µs",
                stack="zero",
                axis=alt.Axis(tickCount=6),
                scale=alt.Scale(**room),
            ),
            y=y,
            fill=alt.Fill("mode:N", title=None, legend=alt.Legend(orient="top"), scale=colours),
            stroke=alt.Stroke("mode:N", legend=None, scale=colours),
            fillOpacity=axes.filled(),
            order=alt.Order("place:Q"),
            tooltip=axes.tips("label:N; mode:N; us:Q[.3~s]"),
        )
    )
    ended = alt.Chart(frame.assign(end=frame[["cpu_us", "cpu_high_us"]].max(axis=1))).encode(y=y)
    spans = ended.mark_rule(strokeWidth=1.5, color=axes.GREY).encode(x="cpu_low_us:Q", x2="cpu_high_us:Q")
    return alt.layer(bars, spans, axes.hollow(ended, "end")).properties(
        width="container", height=axes.rows_height(frame)
    )


def caption(frame: pd.DataFrame) -> str:
    """The cheapest and the dearest of those of which it may be said, and what the kernel's share is."""
    left_out = str(frame.attrs.get("left_out", ""))
    frame = frame[~frame["why"].map(is_forbidden)]
    if frame.empty:
        return f"Findings forbid any word on what a request costs.{left_out}"
    shares = 100 * frame["system_us"] / frame["cpu_us"]
    first, last = frame.iloc[0], frame.iloc[-1]
    text = f"{frame.attrs.get('load', 'A')} request costs the server {_us(first)} of CPU time with {first['label']}"
    if len(frame) > 1:
        text += f", {_us(last)} with {last['label']}"
    if shares.notna().any():
        least, most = (show.number(float(end), most=2) for end in (shares.min(), shares.max()))
        text += f"; {least if least == most else f'{least} to {most}'} % of it is the kernel's"
    if len(bound := frame[frame["why"] == BOUND]):
        text += f"; at least so much with {some(bound['label'], ', ', MOST_NAMED)}, as {BOUND}"
    return f"{text}.{left_out}"


def _us(row: pd.Series) -> str:
    return bracketed(float(row["cpu_us"]), float(row["cpu_low_us"]), float(row["cpu_high_us"]), " µs")
