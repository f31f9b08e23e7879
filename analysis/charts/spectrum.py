"""The latency spectrum: every percentile of the response over planned requests, where it rests on enough of them.

An axis of 1/(1−p) gives each further nine the same room, as the percentile plots of HdrHistogram do
(https://hdrhistogram.github.io/HdrHistogram/plotFiles.html).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from analysis import format as show
from analysis import histograms
from analysis.answers import series
from analysis.answers.doubt import doubts
from analysis.answers.objective import DEFAULT, bars, objective
from analysis.cells import by_label
from analysis.charts import axes
from analysis.model import Dataset

NAME = "spectrum"
TITLE = "Latency spectrum"
READ = (
    "Each line is one strategy: which share of all planned requests (across, one nine more at each mark) was "
    "answered within which time (up). Line: median of the repetitions; band: from the lowest to the highest of them. "
    "Dashed, with hollow points: fewer than 100 requests lie beyond; where fewer than 10 do, nothing is drawn. A "
    "cross: from here on requests were not answered at all. Dotted: how late the generator itself sent. Grey: "
    "strategies not named in the legend; point at one to learn its name."
)
PER_DECADE = 12
COLUMNS = [
    "kind", "label", "strategy", "inverse_tail", "percentile", "response_ns", "low_ns", "high_ns", "tail_requests",
    "quality", "ends", "repetitions", "shown", "note", "unsure",
]  # fmt: skip
HEIGHT = 340
TOOLTIP = axes.tips(
    "label:N cell; percent:N percent of requests; median:N median response; lowest:N lowest repetition; "
    "highest:N highest repetition; beyond:Q[,.0f] requests beyond"
)


def data(dataset: Dataset) -> pd.DataFrame:
    """Rows of kind `response` (a cell at a percentile; `note`: what forbids its p99, `unsure`:
    whether it met the objective cannot be told), `lag` (the generator's, median of
    all trials), `objective`, and `left out` (a cell without a line; `note` says why). Times in ns to 4 figures; high_ns
    is inf among the missing."""
    trials = series.good_trials(dataset)
    sums = _sums(dataset, trials)
    goals = [objective(text) for text in dict.fromkeys(dataset.runs["slo"].fillna(DEFAULT))]
    grid = percents(goal.percent for goal in goals)
    rows: list[dict[Hashable, Any]] = []
    for (label, strategy), members in trials.fillna({"planned_requests": 0}).groupby(["label", "strategy"], sort=False):
        counted = [
            (sums.get((run, n, "response"), histograms.empty()), int(planned))
            for run, n, planned in members[["run", "trial", "planned_requests"]].itertuples(index=False)
        ]
        rows += [row | {"kind": "response", "label": label, "strategy": strategy} for row in spectrum(counted, grid)]
    ranked = ranking(pd.DataFrame(rows, columns=COLUMNS))
    shown = set(series.spread(ranked, colours=series.colours(trials)))
    rows.sort(key=lambda row: ranked.index(str(row["label"])))
    doubt, key = doubts(dataset), by_label(dataset.cells)
    unsure = {label: any(bars(dataset, *key[label], goal) for goal in goals) for label in ranked}
    for row in rows:
        row["shown"] = row["label"] in shown
        row["note"] = " ".join(doubt.get((*key[str(row["label"])], "p99"), ()))
        row["unsure"] = unsure[str(row["label"])]
    lags = [(counts, int(counts.sum())) for (*_, kind), counts in sums.items() if kind == "lag" and counts.sum()]
    rows += [
        row | {"kind": "lag", "label": "generator's own lag", "low_ns": math.nan, "high_ns": math.nan}
        for row in spectrum(lags, grid)
    ]
    rows += [
        _place(goal.percent) | {"kind": "objective", "label": str(goal), "response_ns": goal.limit_ns} for goal in goals
    ]
    rows += [row | {"kind": "left out"} for row in series.left_out(dataset).to_dict("records")]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("response_ns", "low_ns", "high_ns", "inverse_tail", "tail_requests"):
        frame[name] = series.digits(frame[name])
    return frame if (frame["kind"] == "response").any() else frame.iloc[:0]


def _sums(dataset: Dataset, trials: pd.DataFrame) -> dict[Any, histograms.Counts]:
    """Per trial and kind the count at every slot, clients added."""
    table = dataset.histograms[dataset.histograms["kind"].isin(["response", "lag"])]
    table = table.merge(trials[["run", "trial"]], on=["run", "trial"])
    return {key: series.counts(rows) for key, rows in table.groupby(["run", "trial", "kind"], sort=False)}


def spectrum(repetitions: list[tuple[histograms.Counts, int]], grid: Sequence[Fraction]) -> list[dict[Hashable, Any]]:
    """Median and extremes over repetitions, each (counts, planned requests), up to the percentile that the smallest of
    them can bear, or that at which the median is among the missing."""
    least = min((planned for _, planned in repetitions), default=0)
    rows: list[dict[Hashable, Any]] = []
    for percent in grid:
        beyond = histograms.tail(least, percent)
        if beyond < histograms.WITHHELD_BELOW:
            break
        values = [histograms.percentile_ns(counts, planned, percent) for counts, planned in repetitions]
        middle = float(np.median(values))
        if math.isinf(middle):
            if rows:
                rows[-1]["ends"] = True
            break
        quality = "marked" if beyond < histograms.MARKED_BELOW else "solid"
        rows.append(_place(percent) | {
            "response_ns": middle, "low_ns": min(values), "high_ns": max(values), "tail_requests": float(beyond),
            "ends": False, "repetitions": len(values), "quality": quality,
        })  # fmt: skip
    return rows


def _place(percent: Fraction) -> dict[Hashable, Any]:
    return {"inverse_tail": float(100 / (100 - percent)), "percentile": round(float(percent), 5)}


def percents(also: Iterable[Fraction] = ()) -> list[Fraction]:
    """50 %, then a dozen a decade of 1/(1−p); 90, 99, 99.9 … are among them, exactly; and those asked for."""
    steps = range(4, 6 * PER_DECADE + 1)
    inverse = [
        Fraction(10) ** (i // PER_DECADE) * Fraction(10 ** (i % PER_DECADE / PER_DECADE)).limit_denominator(1000)
        for i in steps
    ]
    return sorted({Fraction(50), *(100 - Fraction(100) / one for one in inverse), *also})


def ranking(frame: pd.DataFrame) -> list[str]:
    """The labels from the fastest at p99 to the slowest; after them those whose line ends before p99."""
    lines = frame[frame["kind"] == "response"]
    at = lines[lines["percentile"] == 99.0].set_index("label")["response_ns"].astype(float)
    return sorted(dict.fromkeys(lines["label"]), key=lambda label: at.get(label, math.inf))


def caption(frame: pd.DataFrame) -> str:
    """Fastest and slowest at p99 with their range, who meets the objective, what p99.9 rests on, who is left out."""
    lines = frame[frame["kind"] == "response"]
    at = lines[lines["percentile"] == 99.0].sort_values("response_ns", kind="stable")
    parts = []
    if at.empty:
        parts.append("No line reaches p99.")
    else:
        ends = at.iloc[[0]] if len(at) == 1 else at.iloc[[0, -1]]
        named = [f"{row['label']} within {_with_range(row)}" for row in ends.to_dict("records")]
        parts.append(f"At p99 {', '.join(named).replace(' within', ' answers within', 1)}.")
    for goal in frame[frame["kind"] == "objective"].to_dict("records"):
        near = lines[lines["percentile"].sub(goal["percentile"]).abs() < 1e-9]
        # A line that ends before, answers missing, does not meet it; one too short for the percentile says nothing.
        asked = len(near) + int((lines["ends"].astype(bool) & (lines["percentile"] < goal["percentile"])).sum())
        if asked:
            sure = near[~near["unsure"].astype(bool)]
            unsure = f"; of {len(near) - len(sure)} it cannot be told" if len(sure) < len(near) else ""
            met = int((sure["response_ns"] <= goal["response_ns"]).sum())
            parts.append(f"{met} of {asked} meet {goal['label']}{unsure}.")
    lag = frame[(frame["kind"] == "lag") & (frame["percentile"] == 99.0)]
    if len(lag):
        parts.append(f"The generator itself is {show.time(lag['response_ns'].iloc[0])} late at p99.")
    ended = lines.loc[lines["ends"].astype(bool), ["label", "percentile"]].to_dict("records")
    if ended:
        named = [f"p{row['percentile']:.5g} with {row['label']}" for row in ended]
        parts.append(f"Requests stay unanswered beyond {', '.join(named)}.")
    doubted = lines[lines["note"].fillna("").ne("")].drop_duplicates("label")
    if len(doubted):
        checks = list(dict.fromkeys(" ".join(doubted["note"]).split()))
        of = "any of them" if len(doubted) == lines["label"].nunique() else ", ".join(doubted["label"])
        parts.append(f"Findings forbid a claim on the p99 of {of} (▲{' ▲'.join(checks)}).")
    deep = lines[lines["percentile"] == 99.9]
    if len(deep):
        weak = int((deep["quality"] == "marked").sum())
        parts.append(f"{f'{weak} of {len(deep)} p99.9 rest' if weak else 'No p99.9 rests'} on fewer than 100 requests.")
    return " ".join(parts) + series.left_out_sentence(frame[frame["kind"] == "left out"])


def _with_range(row: dict[Hashable, Any]) -> str:
    low, high = row["low_ns"], row["high_ns"]
    text = show.time(row["response_ns"], (high - low) / 2 if math.isfinite(high) else 0.0)
    size, unit = show.unit_of(row["response_ns"])
    span = show.span(low, high, size)
    return f"{text} (repetitions {span} {unit})" if span else text


def draw(frame: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """A file holds each key as often as there are rows, so that the chart's fields are short."""
    names = {"inverse_tail": "x", "response_ns": "y", "low_ns": "low", "high_ns": "high", "tail_requests": "beyond"}
    lines = frame[frame["kind"] == "response"].replace(np.inf, np.nan).rename(columns=names)
    is_shown = lines["shown"].astype(bool)
    shown = lines.loc[is_shown, ["label", "strategy", "x", "y", "low", "high", "beyond", "quality"]]
    last = float(lines["x"].max())  # on a wide screen with room for names behind it
    room = axes.log(domainMin=2, domainMax=alt.expr(f"width < 600 ? {last} : {last} * 6"))
    x = alt.X("x:Q", axis=axes.nines_axis("share of planned requests answered"), scale=room)
    of_lag = frame.loc[frame["kind"] == "lag", "response_ns"]
    spanned = pd.concat([*(lines[name] for name in ("y", "low", "high")), of_lag]).dropna()
    y = alt.Y("y:Q", axis=axes.time_axis("response time", spanned), scale=axes.log(zero=False))
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
    line = {"x": x, "y": y, "color": strategy, "detail": "label:N", "tooltip": TOOLTIP}
    nine = "abs(log(datum.x) / LN10 - round(log(datum.x) / LN10)) < 0.001"
    points = named.transform_filter(nine).encode(x=x, y=y, color=strategy, shape=shape, tooltip=TOOLTIP)
    return [
        named.mark_area().encode(
            x=x, y="low:Q", y2="high:Q", color=strategy, detail="label:N", opacity=axes.lit(picked, 0.13, 0.02)
        ),
        named.transform_filter("datum.quality == 'solid'")
        .mark_line(strokeWidth=2)
        .encode(**line, opacity=axes.lit(picked))
        .add_params(picked),
        named.transform_filter("datum.joins")
        .mark_line(strokeWidth=1.5, strokeDash=[4, 2])
        .encode(**line, opacity=axes.lit(picked, 0.7)),
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
    tooltip = axes.tips("label:N line; percent:N percent of requests; median:N time")
    return [
        lag.mark_line(color=axes.GREY, strokeDash=[2, 3]).encode(x=x, y=y, tooltip=tooltip),
        goal.mark_rule(strokeDash=[6, 4], color=axes.GREY).encode(y=y, tooltip=tooltip),
        goal.mark_text(align="left", baseline="bottom", dx=4, dy=-3, color=axes.GREY).encode(
            x=alt.value(0), y=y, text="label:N"
        ),
        goal.mark_point(shape="triangle-down", size=90, filled=True, color=axes.GREY).encode(x=x, y=y, tooltip=tooltip),
    ]
