"""The accept queue: how many connections waited for accept(), against the limit of the listener, and what connecting
cost. A connection beyond the limit is dropped by the kernel and counted (TcpExt.ListenOverflows); its client retries
after 1 s, then 3 s, then 7 s."""

from __future__ import annotations

import altair as alt
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.charts import axes
from analysis.checks.shared import overflows
from analysis.model import Dataset
from contracts.declared import PASSED

NAME = "accept"
TITLE = "Accept queue"
READ = (
    "Each point is one repetition: the longest queue of a listener that a sample saw (one sample a second: short "
    "peaks between samples stay unseen); strategies whose queue was always found empty are in the table only. The "
    "bar is the queue's limit, min(backlog, somaxconn); a filled triangle marks a repetition in which connections "
    "were dropped because the queue was full."
)
COLUMNS = [
    "label", "strategy", "trial", "outcome", "peak_connections", "limit_connections", "overflows", "connect_p99_ns",
]  # fmt: skip


def data(dataset: Dataset) -> pd.DataFrame:
    """One row per repetition (ok, dnf): the fullest queue of all listeners and samples, its limit, what was dropped."""
    trials = series.good_trials(dataset, PASSED)
    key = ["run", "trial"]
    queues = dataset.listen_queue.groupby(key, as_index=False).agg(
        peak_connections=("length", "max"), limit_connections=("limit", "max")
    )
    dropped = overflows(dataset).groupby(key, as_index=False).agg(overflows=("value", "max"))
    frame = trials.merge(queues, on=key).merge(dropped, on=key, how="left")
    # The kernel's counters are told where they grew: no row is none.
    frame["overflows"] = frame["overflows"].fillna(0)
    frame["connect_p99_ns"] = series.digits(frame["connect_p99_ns"])
    fullest = frame.groupby("label")["peak_connections"].transform("max")
    order = frame.assign(fullest=-fullest).sort_values(["fullest", "label", "trial"], kind="stable")
    return order[COLUMNS].reset_index(drop=True)


def is_quiet(frame: pd.DataFrame) -> bool:
    """Nothing waited and nothing was dropped."""
    return not (frame["peak_connections"].max() > 0 or frame["overflows"].max() > 0)


def caption(frame: pd.DataFrame) -> str:
    """The fullest queue, whether any overflowed, and the slowest connecting."""
    worst = frame.iloc[int(frame["peak_connections"].argmax())]
    parts = ["No sample found a connection waiting for accept()."]
    if (peak := worst["peak_connections"]) > 0:
        limit = worst["limit_connections"]  # with listen(0) there is room for one all the same
        share = f" ({show.number(100 * peak / limit, most=2)} %)" if limit > 0 else ""
        held = f"{show.count(peak)} of {show.count(limit)} connections{share}"
        parts = [f"The fullest accept queue held {held}, with {worst['label']}."]
    lost = frame.groupby("label", sort=False)["overflows"].max()
    lost = lost[lost > 0]
    named = ", ".join(f"{label} (up to {show.count(count)})" for label, count in lost.items())
    parts.append(f"Connections were dropped because it was full: {named}." if named else "None overflowed.")
    connect = frame.groupby("label", sort=False)["connect_p99_ns"].median().dropna()
    if len(connect):
        most = f" to {show.time(connect.max())} ({connect.idxmax()})" if len(connect) > 1 else ""
        parts.append(f"p99 of connecting: {show.time(connect.min())} ({connect.idxmin()}){most}.")
    return " ".join(parts)


def draw(frame: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """Only the cells in which a connection was seen to wait, unless there is none."""
    waited = frame[frame.groupby("label")["peak_connections"].transform("max") > 0]
    frame = frame if waited.empty else waited
    drawn = frame.assign(dropped=frame["overflows"] > 0)
    base = alt.Chart(drawn).transform_calculate(connect=axes.time_text("connect_p99_ns")).encode(y=axes.rows(frame))
    x = alt.X(
        "peak_connections:Q",
        title="connections waiting for accept(), longest queue",
        scale=alt.Scale(type="symlog", nice=False),
        axis=alt.Axis(values=[0, 1, 10, 100, 1000, 10_000, 100_000], format=",d"),
    )
    tooltip = axes.tips(
        "label:N cell; trial:Q; peak_connections:Q longest queue; limit_connections:Q limit; overflows:Q dropped; "
        "connect:N p99 of connecting"
    )
    picked = axes.pick(legend=False)
    points = (
        base.mark_point(size=45, strokeWidth=1.5)
        .encode(
            x=x,
            tooltip=tooltip,
            color=axes.color(frame["strategy"].tolist(), None),
            shape=alt.Shape(
                "dropped:N", scale=alt.Scale(domain=[False, True], range=["circle", "triangle-up"]), legend=None
            ),
            opacity=axes.lit(picked),
        )
        .add_params(picked)
    )
    full = points.transform_filter("datum.dropped").mark_point(size=70, filled=True)
    limit = base.mark_tick(thickness=2, color=axes.GREY).encode(x="limit_connections:Q")
    return alt.layer(limit, points, full).properties(width="container", height=axes.rows_height(frame))
