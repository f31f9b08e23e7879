"""What every figure is: the numbers, the picture, and the sentence that says what it shows."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt
import pandas as pd


@dataclass(frozen=True)
class Figure:
    """One figure of the report. A module makes it with `make(dataset) -> Figure | None`, None where the run has no data
    for it, out of three pure functions: `data(dataset) -> DataFrame`, `chart(frame)`, `finding(frame) -> str`."""

    name: str  # anchor, file name, argument of `plot`
    title: str
    finding: str  # one generated sentence, above the figure
    read: str  # how to read it, below the figure
    frame: pd.DataFrame  # the numbers shown, units in the column names: the data table and the CSV
    chart: alt.TopLevelMixin | None  # None: a table is the figure
