"""What makes a figure doubtful, or no measurement of the server at all: the validity findings."""

from analysis.model import Dataset, frame
import pandas as pd


def findings_table(dataset: Dataset) -> pd.DataFrame:
    """The findings of all checks, after those that the conductor wrote."""
    return dataset.findings
