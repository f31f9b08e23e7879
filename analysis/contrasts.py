"""Each cell against its baseline, block by block."""

import pandas as pd

from analysis.model import Dataset, frame


def contrasts_table(dataset: Dataset, baseline: str | None) -> pd.DataFrame:
    """One row per cell and metric."""
    return frame("contrasts", ())
