"""Axes and tooltips that the figures share: times from ns to s, percentiles as nines."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from analysis.answers.identity import identity
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
CHARACTER_PX = 6  # of a label, about
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


def rows(frame: pd.DataFrame, room: int = 150) -> alt.Y:
    """A row for each label, in the order of the frame; what all have in common is said once, above them."""
    labels = list(dict.fromkeys(frame["label"]))
    told, common = names(labels, room // CHARACTER_PX)
    axis = alt.Axis(
        labelLimit=room + 40, labelExpr=renamed(told), titleAngle=0, titleAlign="right", titleBaseline="bottom",
        titleX=-8, titleY=-2, titleFontWeight=400,
    )  # fmt: skip
    return alt.Y("label:N", sort=labels, title=textwrap.wrap(common, room // CHARACTER_PX) or None, axis=axis)


def names(labels: Sequence[str], characters: int) -> tuple[dict[str, str], str]:
    """Each label as what tells it from the others, cut in its middle where that is too long; and what all share."""
    parts = [label.split(", ") for label in labels]
    shared = [part for part in parts[0][1:] if all(part in other[1:] for other in parts)] if len(parts) > 1 else []
    own = [", ".join([one[0], *(part for part in one[1:] if part not in shared)]) for one in parts]
    cut = [middle(text, characters) for text in own]
    told = [short if cut.count(short) == 1 else text for short, text in zip(cut, own, strict=True)]
    if len(set(told)) < len(labels):
        return dict(zip(labels, labels, strict=True)), ""
    return dict(zip(labels, told, strict=True)), ", ".join(shared)


def middle(text: str, characters: int) -> str:
    """The text, its middle left out where it is longer: what differs is mostly at the ends."""
    if len(text) <= characters:
        return text
    end = (characters - 1) // 2
    return f"{text[: characters - 1 - end]}…{text[-end:]}"


def renamed(told: Mapping[str, str]) -> str:
    """A Vega expression: a label's other name."""
    changed = {visible(label): visible(name) for label, name in told.items() if name != label}
    return f"{json.dumps(changed)}[datum.value] || datum.value"


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


def shape(strategies: Sequence[str]) -> alt.Shape:
    """Each strategy's shape; the legend of the colour shows it."""
    return alt.Shape("strategy:N", legend=None, scale=shape_scale(strategies))


def color_scale(strategies: Iterable[str], shown: Sequence[str] = ()) -> alt.Scale:
    names = list(dict.fromkeys([*shown, *strategies]))
    return alt.Scale(domain=names, range=[identity(name).colour for name in names])


def shape_scale(strategies: Iterable[str]) -> alt.Scale:
    names = list(dict.fromkeys(strategies))
    return alt.Scale(domain=names, range=[identity(name).shape for name in names])
