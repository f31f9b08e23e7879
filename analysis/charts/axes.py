"""Axes and tooltips that the figures share: times from ns to s, percentiles as nines."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from analysis.answers.identity import identity
from analysis.answers.shown import is_forbidden
from analysis.cells import told_apart
from analysis.format import visible

GREY = "#888"  # readable on white and on black
TIME_LABEL = (
    "datum.value >= 1e9 ? format(datum.value / 1e9, '~g') + ' s' : datum.value >= 1e6 ? format(datum.value / 1e6, "
    "'~g') + ' ms' : datum.value >= 1e3 ? format(datum.value / 1e3, '~g') + ' µs' : format(datum.value, '~g') + ' "
    "ns'"
)
NINES = [2.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6]
NINES_LABEL = "format(100 - 100 / datum.value, '.5~f') + ' %'"
TIP = re.compile(r"(\w+:[NQ])(?:\[(.+)\])? ?(.*)")
LABEL_CHARACTERS, LABEL_LINES = 26, 3  # of a row
ABREAST_CHARACTERS, NARROW_PX = 16, 240  # of a legend that a telephone shows whole: two names side by side, one
ROW_PX, LINE_PX = 20, 13
DASHES = ([1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 6], [12, 4])
HOLLOW = "Hollow: no claim may rest on it, for the reason that stands beside it; ▲ names a finding that forbids it."
DECADES_NS = [10.0**power for power in range(2, 11)]


def time_text(field: str) -> str:
    """A Vega expression: the field, in ns, with the unit in which it reads best."""
    value = f"datum['{field}']"
    return (
        f"!isValid({value}) ? '–' : {value} >= 1e9 ? format({value} / 1e9, '.3~r') + ' s' : "
        f"{value} >= 1e6 ? format({value} / 1e6, '.3~r') + ' ms' : format({value} / 1e3, '.3~r') + ' µs'"
    )


def time_axis(title: str | None, of: pd.Series | None = None) -> alt.Axis:
    """Times in ns; where what is drawn is told, with ticks however little of a decade it spans."""
    values = DECADES_NS if of is None else ticks(float(of.min()), float(of.max()))
    return alt.Axis(title=title, labelExpr=TIME_LABEL, values=values, labelOverlap=True)


def span_ticks(frame: pd.DataFrame, *names: str) -> list[float]:
    """Ticks of a logarithmic axis for what these columns span."""
    values = frame[list(names)].astype(float)
    values = values[(values > 0) & (values < math.inf)]
    return ticks(float(values.min().min()) / 1.1, float(values.max().max()) * 1.1)


def ticks(low: float, high: float, least: int = 3) -> list[float]:
    """Round places from low to high on a logarithmic axis: decades, or as much finer as it takes to have a few."""
    if not (0 < low <= high < math.inf):
        return DECADES_NS
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5), range(1, 10)):
        found = [float(f"{m}e{power}") for power in decades for m in steps if low <= float(f"{m}e{power}") <= high]
        if len(found) >= least:
            return found
    step = 10.0 ** math.floor(math.log10((high - low) / least)) if high > low else high
    fine = [float(f"{n * step:.6g}") for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return fine[:: math.ceil(len(fine) / 10)] if fine else [high]


def nines_axis(title: str) -> alt.Axis:
    return alt.Axis(title=title, labelExpr=NINES_LABEL, values=NINES, labelOverlap=True)


def log(**more: Any) -> alt.Scale:
    """A logarithmic scale that ends where its data does."""
    return alt.Scale(type="log", nice=False, **more)


def rows(frame: pd.DataFrame) -> alt.Y:
    """A row for each label, in the order of the frame; what all have in common is said once, above them."""
    labels = list(dict.fromkeys(frame["label"]))
    told, common = told_apart(labels)
    up = f"{-LINE_PX / 2} * (length({renamed(told)}) - 1)"  # in the middle of its row, however many lines it has
    axis = alt.Axis(
        labelLimit=0, labelExpr=renamed(told), labelOffset=alt.expr(up), titleAngle=0, titleAlign="right",
        titleBaseline="bottom", titleX=-8, titleY=-2, titleFontWeight=400, titleLimit=0,
    )  # fmt: skip
    return alt.Y("label:N", sort=labels, title=lines(common) if common else None, axis=axis)


def rows_height(frame: pd.DataFrame) -> int:
    """Of a chart of these rows, pixels: with room for the label that takes most lines."""
    told, _ = told_apart(list(dict.fromkeys(frame["label"])))
    most = max(len(found) for found in _in_lines(told).values())
    return max(80, (ROW_PX + LINE_PX * (most - 1)) * len(told))


def lines(label: str, characters: int = LABEL_CHARACTERS) -> list[str]:
    """A label in lines, broken between its parts where that goes."""
    found: list[str] = []
    for part in label.split(", "):
        if found and len(found[-1]) + len(part) + 2 <= characters:
            found[-1] += f", {part}"
            continue
        found[-1:] = [f"{found[-1]},"] if found else []
        found += textwrap.wrap(part, characters) or [part]
    return found


def _in_lines(told: Mapping[str, str]) -> dict[str, list[str]]:
    """Each name in lines. Of more than LABEL_LINES the middle is left out where the name stays its own, for what
    differs is mostly at the ends."""
    whole = {label: lines(name) for label, name in told.items()}
    cut = {
        label: found if len(found) <= LABEL_LINES else [*found[: LABEL_LINES - 1], f"… {found[-1]}"]
        for label, found in whole.items()
    }
    shown = [tuple(found) for found in cut.values()]
    return {label: cut[label] if shown.count(tuple(cut[label])) == 1 else whole[label] for label in told}


def renamed(told: Mapping[str, str]) -> str:
    """A Vega expression: a label's other name, in lines."""
    changed = {visible(label): [visible(line) for line in found] for label, found in _in_lines(told).items()}
    return f"{json.dumps(changed)}[datum.value]"


def hollow(base: alt.Chart, x: str) -> alt.Chart:
    """Beside the end of a row why it is drawn hollow; of a frame with `why`, empty where it is not."""
    drawn: alt.Chart = base.mark_text(align="left", dx=7, color=GREY).encode(x=f"{x}:Q", text="why:N")
    return drawn


def hollow_points(base: alt.Chart, frame: pd.DataFrame, y: alt.Y) -> list[alt.Chart]:
    """Under each point the findings that forbid a claim on it; what else makes points hollow is said once, below."""
    found: list[alt.Chart] = []
    if frame["why"].map(is_forbidden).any():
        told = base.transform_filter("substring(datum.why, 0, 1) == '▲'")
        found.append(told.mark_text(dy=14, color=GREY).encode(y=y, text="why:N", color=alt.value(GREY)))
    if once := [why for why in dict.fromkeys(frame["why"]) if why and not is_forbidden(why)]:
        note = alt.Chart(pd.DataFrame({"text": [f"hollow: {'; '.join(once)}"]}))
        mark = note.mark_text(align="right", baseline="bottom", dx=-4, dy=-4, color=GREY)
        found.append(mark.encode(x=alt.value("width"), y=alt.value("height"), text="text:N"))
    return found


def filled(full: float = 1) -> Any:
    """The opacity of a mark's inside, for the same frame."""
    return alt.when("datum.why == ''").then(alt.value(full)).otherwise(alt.value(0))


def tips(told: str) -> list[alt.Tooltip]:
    """What a point tells: `field:type[format] title`, parted by `; `; format and title may be left out."""
    parts = [found.groups() for one in told.split("; ") if (found := TIP.fullmatch(one))]
    return [
        alt.Tooltip(field, format=how or alt.Undefined, title=title or alt.Undefined) for field, how, title in parts
    ]


def pick(legend: bool = True) -> alt.Parameter:
    """A click on a strategy, in the legend where there is one, brings it out; the same name in every chart, so that one
    click serves all."""
    bind: Any = "legend" if legend else alt.Undefined
    return alt.selection_point(name="strategy_pick", fields=["strategy"], bind=bind)


def lit(picked: alt.Parameter, bright: float = 1, faint: float = 0.15) -> Any:
    """The opacity of what is picked, and of what is not."""
    return alt.when(picked).then(alt.value(bright)).otherwise(alt.value(faint))


def color(strategies: Sequence[str], shown: Sequence[str] | None) -> alt.Color:
    """Each strategy's colour; the legend lists those shown (None: no legend), two abreast on a narrow screen."""
    legend = alt.Legend(
        title=None,
        orient="top",
        values=list(dict.fromkeys(shown or ())),
        symbolOpacity=1,
        columns=alt.expr("width < 500 ? 2 : 4"),
        labelLimit=160,
    )
    return alt.Color(
        "strategy:N",
        scale=color_scale(strategies, shown or ()),
        legend=legend if shown else None,
    )


def lines_apart(frame: pd.DataFrame) -> tuple[pd.DataFrame, Callable[[bool], dict[str, Any]]]:
    """The frame with a `name` for each label, and by what its lines are told apart, with a legend or without: the
    strategy's colour, and where a strategy has several lines the name, by its dashes."""
    told, _ = told_apart(list(dict.fromkeys(frame["label"])))
    frame = frame.assign(name=frame["label"].map(told))
    own = frame.drop_duplicates("name")
    if own["strategy"].is_unique:
        strategies = own["strategy"].tolist()
        return frame, lambda legend: {"color": color(strategies, strategies if legend else None)}
    dashes = [DASHES[n % len(DASHES)] for n in own.groupby("strategy").cumcount()]
    colours = [identity(name).colour for name in own["strategy"]]
    names = own["name"].tolist()

    def encoded(legend: bool) -> dict[str, Any]:
        # Panels under each other do not tell their legend how wide they are.
        abreast = 2 if max(map(len, names)) <= ABREAST_CHARACTERS else 1
        how: Any = alt.Legend(
            title=None,
            orient="top",
            labelLimit=NARROW_PX,
            columns=abreast,
            labelExpr=renamed(dict(zip(names, names, strict=True))),
        )
        how = how if legend else None
        return {
            "color": alt.Color("name:N", scale=alt.Scale(domain=names, range=colours), legend=how),
            "strokeDash": alt.StrokeDash("name:N", scale=alt.Scale(domain=names, range=dashes), legend=how),
        }

    return frame, encoded


def shape(strategies: Sequence[str]) -> alt.Shape:
    """Each strategy's shape; the legend of the colour shows it."""
    return alt.Shape("strategy:N", legend=None, scale=shape_scale(strategies))


def color_scale(strategies: Iterable[str], shown: Sequence[str] = ()) -> alt.Scale:
    names = list(dict.fromkeys([*shown, *strategies]))
    return alt.Scale(domain=names, range=[identity(name).colour for name in names])


def shape_scale(strategies: Iterable[str]) -> alt.Scale:
    names = list(dict.fromkeys(strategies))
    return alt.Scale(domain=names, range=[identity(name).shape for name in names])
