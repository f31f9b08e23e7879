"""The charts of a report, in the order of its page. Another chart is a module and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from analysis.cells import told_apart
from analysis.charts import (
    accept,
    cost,
    effects,
    effects_p99,
    fairness,
    glance,
    heat,
    honesty,
    idle,
    knee,
    memory,
    overtime,
    ramp,
    spectrum,
)
from analysis.model import Dataset

if TYPE_CHECKING:
    import altair as alt


class Module(Protocol):
    """What a module of a chart holds: three texts and pure functions. A module that draws has `draw(frame)` too, which
    alone uses columns whose names begin with _."""

    NAME: str  # anchor, file name, argument of `plot`
    TITLE: str
    READ: str  # how to read it, below the chart

    def data(self, dataset: Dataset) -> pd.DataFrame:
        """The numbers shown, units in the column names: the data table and the CSV; empty: the runs have none."""

    def caption(self, frame: pd.DataFrame) -> str:
        """One sentence, above the chart."""


# A module whose chart has nothing to show where all is well has `is_quiet(frame)` too: then its sentence is enough.


@dataclass(frozen=True)
class Chart:
    """One chart of the report, made of a module and a dataset."""

    name: str
    title: str
    caption: str
    read: str
    frame: pd.DataFrame
    drawing: alt.TopLevelMixin | None  # None: a table is the chart
    is_quiet: bool = False  # all is well: the caption says so, and the rest can stay folded


CHARTS: tuple[Module, ...] = (
    glance,
    spectrum,
    knee,
    idle,
    ramp,
    cost,
    memory,
    overtime,
    heat,
    effects,
    effects_p99,
    accept,
    fairness,
    honesty,
)


def make(module: Module, dataset: Dataset) -> Chart | None:
    """The chart; None where the runs have no data for it."""
    frame = module.data(dataset)
    if frame.empty:
        return None
    draw = getattr(module, "draw", None)
    shown = frame[[name for name in frame.columns if not name.startswith("_")]]
    quiet = getattr(module, "is_quiet", None)
    drawing = draw(frame) if draw else None
    return Chart(
        module.NAME, module.TITLE, said(module, frame), module.READ, shown, drawing, bool(quiet and quiet(frame))
    )


def said(module: Module, frame: pd.DataFrame) -> str:
    """The caption, in which what all cells share is said once."""
    columns = [name for name in ("label", "baseline") if name in frame]
    cells = frame[frame["strategy"].notna()] if "strategy" in frame else frame
    labels = list(dict.fromkeys(label for name in columns for label in cells[name].dropna()))
    told, common = told_apart(labels) if labels else ({}, "")
    text = module.caption(frame.replace(dict.fromkeys(columns, told)) if common else frame)
    return f"{text} All of them: {common}." if common else text


def make_all(dataset: Dataset) -> list[Chart]:
    """Those for which the runs have data."""
    return [chart for module in CHARTS if (chart := make(module, dataset)) is not None]
