"""The picture of the latency spectrum (spectrum.py)."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from analysis.answers import series
from analysis.charts import axes

HEIGHT = 340
TOOLTIP = [
    alt.Tooltip("label:N", title="cell"),
    alt.Tooltip("percent:N", title="percent of requests"),
    alt.Tooltip("median:N", title="median response"),
    alt.Tooltip("lowest:N", title="lowest repetition"),
    alt.Tooltip("highest:N", title="highest repetition"),
    alt.Tooltip("beyond:Q", title="requests beyond", format=",.0f"),
]


def draw(frame: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """A file holds each key as often as there are rows, so that the chart's fields are short."""
    names = {"inverse_tail": "x", "response_ns": "y", "low_ns": "low", "high_ns": "high", "tail_requests": "beyond"}
    lines = frame[frame["kind"] == "response"].replace(np.inf, np.nan).rename(columns=names)
    is_shown = lines["shown"].astype(bool)
    shown = lines.loc[is_shown, ["label", "strategy", "x", "y", "low", "high", "beyond", "quality"]]
    x = alt.X("x:Q", axis=axes.nines_axis("share of planned requests answered"), scale=_room(float(lines["x"].max())))
    y = alt.Y("y:Q", axis=axes.time_axis("response time"), scale=alt.Scale(type="log", zero=False, nice=False))
    strategy = axes.color(lines["strategy"].tolist(), shown["strategy"].tolist())
    rest = alt.Chart(lines.loc[~is_shown, ["label", "x", "y"]])
    marked = shown["quality"] == "marked"
    named = _tipped(alt.Chart(shown.assign(joins=marked | marked.groupby(shown["label"]).shift(-1, fill_value=False))))
    return alt.layer(
        _tipped(rest)
        .mark_line(color=axes.GREY, strokeWidth=1, opacity=0.45)
        .encode(x=x, y=y, detail="label:N", tooltip=TOOLTIP[:3]),
        *_named(named, x, y, strategy, axes.shape(shown["strategy"].tolist())),
        _tipped(alt.Chart(lines.loc[lines["ends"].astype(bool), ["label", "strategy", "x", "y"]]))
        .mark_point(shape="cross", angle=45, size=90, filled=True, color=axes.GREY)
        .encode(x=x, y=y, tooltip=TOOLTIP[:3]),
        _names(shown, strategy),
        *_context(frame, x, y),
    ).properties(width="container", height=HEIGHT)


def _room(last: float) -> alt.Scale:
    """The axis; on a wide screen with room for names behind the last point."""
    return alt.Scale(type="log", domainMin=2, domainMax=alt.expr(f"width < 600 ? {last} : {last} * 6"), nice=False)


def _tipped(drawn: alt.Chart) -> alt.Chart:
    tipped: alt.Chart = drawn.transform_calculate(
        percent="format(100 - 100 / datum.x, '.5~f')",
        median=axes.time_text("y"),
        lowest=axes.time_text("low"),
        highest=axes.time_text("high"),
    )
    return tipped


def _named(named: alt.Chart, x: alt.X, y: alt.Y, strategy: alt.Color, shape: alt.Shape) -> list[alt.Chart]:
    """Band, line and, at each nine, a point: the strategies of the legend."""
    picked = axes.pick()
    lit = alt.when(picked)
    line = {"x": x, "y": y, "color": strategy, "detail": "label:N", "tooltip": TOOLTIP}
    nine = "abs(log(datum.x) / LN10 - round(log(datum.x) / LN10)) < 0.001"
    points = named.transform_filter(nine).encode(x=x, y=y, color=strategy, shape=shape, tooltip=TOOLTIP)
    return [
        named.mark_area().encode(
            x=x,
            y="low:Q",
            y2="high:Q",
            color=strategy,
            detail="label:N",
            opacity=lit.then(alt.value(0.13)).otherwise(alt.value(0.02)),
        ),
        named.transform_filter("datum.quality == 'solid'")
        .mark_line(strokeWidth=2)
        .encode(**line, opacity=lit.then(alt.value(1)).otherwise(alt.value(0.15)))
        .add_params(picked),
        named.transform_filter("datum.joins")
        .mark_line(strokeWidth=1.5, strokeDash=[4, 2])
        .encode(**line, opacity=lit.then(alt.value(0.7)).otherwise(alt.value(0.15))),
        points.transform_filter("datum.quality == 'solid'").mark_point(size=55, filled=True, opacity=1),
        points.transform_filter("datum.quality != 'solid'").mark_point(size=55, filled=False, strokeWidth=1.5),
    ]


def _names(shown: pd.DataFrame, strategy: alt.Color) -> alt.Chart:
    """The labels at the lines' ends, where the screen has room for them, moved apart where lines end together."""
    ends = shown.sort_values("x").groupby("label", sort=False).tail(1)
    logs, gap = np.log10(ends["y"].astype(float)), np.log10(shown["high"].max() / shown["low"].min()) * 15 / HEIGHT
    last = ends["x"].max()  # lines that end almost together are named in one column
    ends = ends[["label", "strategy"]].assign(
        x=ends["x"].where(ends["x"] < last / 2, last), y=10 ** np.array(series.dodged(logs.tolist(), gap))
    )
    drawn: alt.Chart = (
        alt.Chart(ends)
        .mark_text(align="left", dx=9, opacity=alt.expr("width < 600 ? 0 : 1"))
        .encode(x="x:Q", y="y:Q", text="label:N", color=strategy)
    )
    return drawn


def _context(frame: pd.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The generator's own lag, and the objective: a point that a line has to pass below."""
    parts = frame.rename(columns={"inverse_tail": "x", "response_ns": "y"})
    lag = _tipped(alt.Chart(parts.loc[parts["kind"] == "lag", ["label", "x", "y"]]))
    goal = _tipped(alt.Chart(parts.loc[parts["kind"] == "objective", ["label", "x", "y"]]))
    tooltip = [alt.Tooltip("label:N", title="line"), TOOLTIP[1], alt.Tooltip("median:N", title="time")]
    return [
        lag.mark_line(color=axes.GREY, strokeDash=[2, 3]).encode(x=x, y=y, tooltip=tooltip),
        goal.mark_rule(strokeDash=[6, 4], color=axes.GREY).encode(y=y, tooltip=tooltip),
        goal.mark_text(align="left", baseline="bottom", dx=4, dy=-3, color=axes.GREY).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
        goal.mark_point(shape="triangle-down", size=90, filled=True, color=axes.GREY).encode(x=x, y=y, tooltip=tooltip),
    ]
