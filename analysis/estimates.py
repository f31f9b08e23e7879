"""From trials to figures, and from the repetitions of a cell to one figure with its interval."""

import pandas as pd

from analysis.model import Dataset, frame


def metrics_table(dataset: Dataset) -> pd.DataFrame:
    """One row per trial and metric."""
    return frame("metrics", ())


def estimates_table(dataset: Dataset) -> pd.DataFrame:
    """One row per cell and metric."""
    return frame("estimates", ())
