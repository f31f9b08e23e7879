"""Tables of the page out of data frames: texts with the digits that their interval deserves, bars, CSV."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd

from analysis import format as show
from analysis.answers import glance as answer
from analysis.answers.shown import against, share, shown
from analysis.estimates import BY_TIME
from analysis.spreadsheet import csv_text

MOST_ROWS = 60  # of a chart's table; the CSV has all
METRICS = {  # by name: heading, and whether its bars are on a logarithmic scale
    "efficiency": ("requests per CPU second", False),
    "throughput": ("requests/s", False),
    "p50": ("median response", True),
    "p99": ("p99 response", True),
    "p99_9": ("p99.9 response", True),
    "memory": ("bytes per connection", True),
}
ASKED = {
    "connect_p99": ("p99 of connecting", True),
    "lag": ("p99 lateness of sending", True),
}  # where a run asks for it


@dataclass(frozen=True)
class Bar:
    """An interval within its column: places from 0 to 100. `centre` without an interval is a mark alone."""

    low: float
    high: float
    centre: float


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its text, what sorts it, and where there is one its interval as a bar and in words."""

    text: str
    order: float | str = ""
    bar: Bar | None = None
    interval: str = ""
    is_marked: bool = False  # rests on fewer than 100 tail events
    doubt: tuple[str, ...] = ()  # the findings that forbid a claim on it
    is_number: bool = True


@dataclass(frozen=True)
class Row:
    """One row. `state`: good, dnf or struck; `note` says why it is not good."""

    cells: tuple[Cell, ...]
    state: str = "good"
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table with its headings; `caption` says what it holds, for those who do not see it."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    is_sortable: bool = False
    rest: int = 0  # rows that are in the CSV only


@dataclass(frozen=True)
class Download:
    """A file inside the page."""

    name: str
    href: str
    rows: int


def glance(frame: pd.DataFrame) -> Table:
    """The at-a-glance table, from the frame of answers.glance: first what the run compares, then the figures."""
    rows = frame.to_dict("records")
    metrics = METRICS | {name: ASKED[name] for name in set(frame["ratio_metric"]) & set(ASKED)}
    if any(row["throughput_quality"] == BY_TIME for row in rows):
        metrics["throughput"] = (f"{METRICS['throughput'][0]} {BY_TIME}", METRICS["throughput"][1])
    scales = {name: _scale(rows, name, is_log) for name, (_, is_log) in metrics.items()}
    columns = {
        answer.ratio_title(frame): any(row["verdict"] not in ("", "baseline") for row in rows),
        goals(frame): any(row["kept"] for row in rows),
        "held": any(not math.isnan(float(row["held_connections"])) for row in rows),
        "errors": any(row["errors_share"] > 0 for row in rows),
    }
    made = []
    for row in rows:
        held, errors = float(row["held_connections"]), float(row["errors_share"])
        told = "cannot be told" if row["kept_doubt"] else row["kept"]
        is_kept = Cell(told or show.NOTHING, told, is_number=False, doubt=doubt(row, "kept"))
        first = [_verdict(row), is_kept, Cell(show.count(held), _order(held)), Cell(share(errors), _order(errors))]
        cells = [Cell(str(row["label"]), str(row["label"]), is_number=False)]
        cells += [cell for cell, is_told in zip(first, columns.values(), strict=True) if is_told]
        cells += [_metric(row, name, scale) for name, scale in scales.items()]
        state = "struck" if row["struck"] else "dnf" if row["outcome"] == "dnf" else "good"
        made.append(Row(tuple(cells), state, row["why"]))
    headings = [
        "strategy",
        *(name for name, is_told in columns.items() if is_told),
        *(one for one, _ in metrics.values()),
    ]
    return Table("Every strategy with its figures", tuple(headings), tuple(made), is_sortable=True)


def goals(frame: pd.DataFrame) -> str:
    """The objectives of the runs shown, as a heading."""
    return ", ".join(dict.fromkeys(goal for goal in frame["slo"] if goal))


def doubt(row: dict[Hashable, Any], metric: str) -> tuple[str, ...]:
    """The findings that forbid a claim on a figure, or on the `ratio`."""
    return tuple(str(row[f"{metric}_doubt"]).split())


def _verdict(row: dict[Hashable, Any]) -> Cell:
    """The ratio to the baseline, its interval and the word for it."""
    ratio, interval, verdict = against(row)
    if not ratio:
        return Cell(verdict, math.inf, is_number=False)
    text = f"{ratio} {interval} {verdict}"
    return Cell(text, float(row["ratio"]), is_number=False, doubt=doubt(row, "ratio"))


def _order(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _scale(rows: Sequence[dict[Hashable, Any]], name: str, is_log: bool) -> tuple[float, float, bool]:
    """Least and most that the bars of a column span; an interval reaching far beyond all centres is cut there."""
    centres = [value for row in rows if 0 < (value := float(row[f"{name}_value"])) < math.inf]
    if not centres:
        return 0.0, 1.0, False
    if is_log:
        return min(centres) / 2, max(centres) * 2, True
    return 0.0, max(centres) * 1.25, False


def _place(value: float, scale: tuple[float, float, bool]) -> float:
    low, high, is_log = scale
    if math.isinf(value):
        return 100.0
    if is_log:
        if value <= 0:
            return 0.0
        share = math.log(value / low) / math.log(high / low)
    else:
        share = (value - low) / (high - low)
    return round(100 * min(1.0, max(0.0, share)), 1)


def _metric(row: dict[Hashable, Any], name: str, scale: tuple[float, float, bool]) -> Cell:
    value, low, high = (float(row[f"{name}_{part}"]) for part in ("value", "low", "high"))
    figure = shown(row, name)
    if math.isnan(value):
        return Cell(figure.text, math.inf)
    ends = (low, high, value) if figure.low else (value, value, value)
    interval = f"{figure.interval} {figure.low} to {figure.high}" if figure.low else figure.why
    bar = Bar(*(_place(end, scale) for end in ends))
    return Cell(figure.text, _order(value), bar, interval, is_marked=figure.is_marked, doubt=doubt(row, name))


def of_frame(frame: pd.DataFrame, caption: str, most: int = MOST_ROWS) -> Table:
    """Any frame as a table, its first rows."""
    head = frame.head(most)
    rows = tuple(Row(tuple(_plain(value) for value in values)) for values in head.itertuples(index=False))
    return Table(caption, tuple(str(name) for name in frame.columns), rows, rest=len(frame) - len(head))


def _plain(value: Any) -> Cell:
    if isinstance(value, bool) or (not isinstance(value, (list, dict)) and pd.isna(value)):
        return Cell("yes" if value is True else "no" if value is False else "", is_number=False)
    if isinstance(value, (int, float)):
        number = float(value)
        is_whole = number == int(number) if math.isfinite(number) else False
        return Cell(
            show.count(number) if is_whole else show.number(number, most=4) if math.isfinite(number) else "∞", number
        )
    text = show.visible(str(value))
    return Cell(text, text, is_number=False)


def download(name: str, frame: pd.DataFrame) -> Download:
    """The frame as a CSV file inside the page: as text, which with its few escapes takes less room than in base64."""
    coded = quote(csv_text(frame), safe="!$()*,-./:;=?@_~")
    return Download(f"{name}.csv", f"data:text/csv;charset=utf-8,{coded}", len(frame))
