"""The latency spectrum: every percentile of the response over planned requests, where it rests on enough of them.

An axis of 1/(1−p) gives each further nine the same room, as the percentile plots of HdrHistogram do
(https://hdrhistogram.github.io/HdrHistogram/plotFiles.html).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from analysis import format as show
from analysis import histograms
from analysis.answers import series
from analysis.answers.objective import DEFAULT, objective
from analysis.charts import spectrum_chart
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
    "kind",
    "label",
    "strategy",
    "inverse_tail",
    "percentile",
    "response_ns",
    "low_ns",
    "high_ns",
    "tail_requests",
    "quality",
    "ends",
    "repetitions",
    "shown",
    "note",
]


def data(dataset: Dataset) -> pd.DataFrame:
    """Rows of kind `response` (a cell at a percentile), `lag` (the generator's, median of all trials), `objective`, and
    `left out` (a cell without a line; `note` says why). Times in ns to 4 figures; high_ns is inf among the missing."""
    trials = series.good_trials(dataset)
    sums = _sums(dataset, trials)
    goals = [objective(text) for text in dict.fromkeys(dataset.runs["slo"].fillna(DEFAULT))]
    grid = percents(goal.percent for goal in goals)
    rows: list[dict[Hashable, Any]] = []
    for (label, strategy), members in trials.groupby(["label", "strategy"], sort=False):
        counted = [
            (sums.get((run, n, "response"), histograms.empty()), int(planned))
            for run, n, planned in zip(
                members["run"], members["trial"], members["planned_requests"].fillna(0), strict=True
            )
        ]
        rows += [row | {"kind": "response", "label": label, "strategy": strategy} for row in spectrum(counted, grid)]
    ranked = ranking(pd.DataFrame(rows, columns=COLUMNS))
    shown = set(series.spread(ranked, colours=series.colours(trials)))
    rows.sort(key=lambda row: ranked.index(str(row["label"])))
    for row in rows:
        row["shown"] = row["label"] in shown
    lags = [(counts, int(counts.sum())) for (*_, kind), counts in sums.items() if kind == "lag" and counts.sum()]
    rows += [
        row | {"kind": "lag", "label": "generator's own lag", "low_ns": math.nan, "high_ns": math.nan}
        for row in spectrum(lags, grid)
    ]
    rows += [
        {
            "kind": "objective",
            "label": str(goal),
            "inverse_tail": float(100 / (100 - goal.percent)),
            "percentile": float(goal.percent),
            "response_ns": goal.limit_ns,
        }
        for goal in goals
    ]
    rows += [
        row | {"kind": "left out"} for row in series.left_out(dataset)[["label", "strategy", "note"]].to_dict("records")
    ]
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
        rows.append(
            {
                "inverse_tail": float(100 / (100 - percent)),
                "percentile": round(float(percent), 5),
                "response_ns": middle,
                "low_ns": min(values),
                "high_ns": max(values),
                "tail_requests": float(beyond),
                "ends": False,
                "repetitions": len(values),
                "quality": "marked" if beyond < histograms.MARKED_BELOW else "solid",
            }
        )
    return rows


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
            parts.append(f"{int((near['response_ns'] <= goal['response_ns']).sum())} of {asked} meet {goal['label']}.")
    lag = frame[(frame["kind"] == "lag") & (frame["percentile"] == 99.0)]
    if len(lag):
        parts.append(f"The generator itself is {show.time(lag['response_ns'].iloc[0])} late at p99.")
    ended = lines.loc[lines["ends"].astype(bool), ["label", "percentile"]].to_dict("records")
    if ended:
        parts.append(
            "Requests stay unanswered beyond "
            + ", ".join(f"p{row['percentile']:.5g} with {row['label']}" for row in ended)
            + "."
        )
    deep = lines[lines["percentile"] == 99.9]
    if len(deep):
        weak = int((deep["quality"] == "marked").sum())
        parts.append(
            f"{weak} of {len(deep)} p99.9 rest on fewer than 100 requests."
            if weak
            else "No p99.9 rests on fewer than 100 requests."
        )
    return " ".join(parts) + series.left_out_sentence(frame[frame["kind"] == "left out"])


def _with_range(row: dict[Hashable, Any]) -> str:
    low, high = row["low_ns"], row["high_ns"]
    text = show.time(row["response_ns"], (high - low) / 2 if math.isfinite(high) else 0.0)
    size, unit = show.unit_of(row["response_ns"])
    span = show.span(low, high, size)
    return f"{text} (repetitions {span} {unit})" if span else text


draw = spectrum_chart.draw
