"""How sure we are of the tail: the p99 response of each strategy against the baseline's."""

from __future__ import annotations

import pandas as pd

from analysis.figures import effects
from analysis.figures.base import Figure
from analysis.model import Dataset

NAME, TITLE, READ = "effects_p99", "How sure is that? p99 response", effects.READ


def make(dataset: Dataset) -> Figure | None:
    frame = data(dataset)
    if frame.empty:
        return None
    return Figure(NAME, TITLE, effects.finding(frame), READ, frame.drop(columns="blocks"), effects.chart(frame))


def data(dataset: Dataset) -> pd.DataFrame:
    """As in effects, of the p99 response."""
    return effects.data(dataset, "p99")
