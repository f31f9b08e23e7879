"""How sure we are of the tail: the p99 response of each strategy against the baseline's."""

from __future__ import annotations

import pandas as pd

from analysis.charts import effects
from analysis.model import Dataset

NAME, TITLE, READ = "effects_p99", "How sure is that? p99 response", effects.READ
caption, draw = effects.caption, effects.draw


def data(dataset: Dataset) -> pd.DataFrame:
    """As in effects, of the p99 response."""
    return effects.data(dataset, "p99")
