"""CSV that a spreadsheet shows and does not execute."""

from __future__ import annotations

import pandas as pd

from analysis.format import visible

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as CSV: what was not measured is empty, a time among the never answered `inf`.

    A column of whole numbers is written as such, though pandas keeps one with gaps as floats.
    """
    made = safe(frame)
    whole = [name for name in made.columns if made[name].dtype == "float64" and (made[name].dropna() % 1 == 0).all()]
    return made.astype(dict.fromkeys(whole, "Int64")).to_csv(index=False, lineterminator="\n")


def safe(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its texts made harmless; numbers and truths as they are."""
    made = frame.copy()
    for name in made.columns:
        column = made[name]
        if isinstance(column.dtype, pd.CategoricalDtype):  # millions of rows, few texts
            told = pd.Series(list(map(safe_value, column.cat.categories)), dtype=object)
            made[name] = pd.Series(told.reindex(column.cat.codes).to_numpy(), index=column.index, dtype=object)
        elif not pd.api.types.is_numeric_dtype(column):
            made[name] = pd.Series([safe_value(value) for value in column], index=made.index, dtype=object)
    return made


def safe_value(value: object) -> object:
    """A text without control characters; one that a spreadsheet would run as a formula gets an apostrophe before it
    (OWASP, CSV Injection)."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if value.startswith(FORMULA) else text
