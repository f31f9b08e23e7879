"""Axes and tooltips that the figures share: times from ns to s, percentiles as nines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import pandas as pd

from analysis.answers.identity import identity

GREY = "#888"  # readable on white and on black
TIME_LABEL = (
    "datum.value >= 1e9 ? format(datum.value / 1e9, '~g') + ' s' : datum.value >= 1e6 ? format(datum.value / 1e6, "
    "'~g') + ' ms' : datum.value >= 1e3 ? format(datum.value / 1e3, '~g') + ' µs' : format(datum.value, '~g') + ' "
    "ns'"
)
NINES = [2.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6]
NINES_LABEL = "format(100 - 100 / datum.value, '.5~f') + ' %'"
TIP = re.compile(r"(\w+:[NQ])(?:\[(.+)\])? ?(.*)")
DECADES_NS = [10.0**power for power in range(2, 11)]


def time_text(field: str) -> str:
    """A Vega expression: the field, in ns, with the unit in which it reads best."""
    value = f"datum['{field}']"
    return (
        f"!isValid({value}) ? '–' : {value} >= 1e9 ? format({value} / 1e9, '.3~r') + ' s' : "
        f"{value} >= 1e6 ? format({value} / 1e6, '.3~r') + ' ms' : format({value} / 1e3, '.3~r') + ' µs'"
    )


def time_axis(title: str | None) -> alt.Axis:
    return alt.Axis(title=title, labelExpr=TIME_LABEL, values=DECADES_NS)


def nines_axis(title: str) -> alt.Axis:
    return alt.Axis(title=title, labelExpr=NINES_LABEL, values=NINES, labelOverlap=True)


def log(**more: Any) -> alt.Scale:
    """A logarithmic scale that ends where its data does."""
    return alt.Scale(type="log", nice=False, **more)


def rows(frame: pd.DataFrame, room: int = 150) -> alt.Y:
    """A row for each label, in the order of the frame."""
    return alt.Y("label:N", sort=list(dict.fromkeys(frame["label"])), title=None, axis=alt.Axis(labelLimit=room))


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
