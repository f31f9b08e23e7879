"""A duet: two servers measured at the same time on the same CPUs under the same load. What disturbs one disturbs the
other, so the ratio of what a request costs them hardly moves where either cost does (Bulej, Horký, Tůma, Farquet and
Prokopec, "Duet Benchmarking: Improving Measurement Accuracy in the Cloud", ICPE 2020)."""

from __future__ import annotations

import pandas as pd

ONLY_COSTS = "measured side by side, where each hinders the other: only costs are compared"


def beside(trials: pd.DataFrame, column: str) -> pd.Series:
    """What the trial that ran beside each of these has in this column; missing where none did."""
    known = dict(zip(zip(trials["run"], trials["trial"], strict=True), trials[column], strict=True))
    found = [known.get(key) for key in zip(trials["run"], trials["beside"], strict=True)]
    return pd.Series(found, trials.index, dtype=object)
