"""What every chart is: the numbers, the drawing, and the sentence that says what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pandas as pd

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


@dataclass(frozen=True)
class Chart:
    """One chart of the report, made of a module and a dataset."""

    name: str
    title: str
    caption: str
    read: str
    frame: pd.DataFrame
    drawing: alt.TopLevelMixin | None  # None: a table is the chart
