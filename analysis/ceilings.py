"""What a calibration says that each generator can send at most, and where a trial of the run shows that it can more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.ingest.trials import BY_INTENDED_TIME
from analysis.model import Dataset

LATE_SHARE = 0.01
"""Of the window. Runs that count sends by the second in which they were due do not know the rate of what left later."""


def sent_per_s(row: Mapping[Any, Any]) -> float:
    """What a client sent in a second of the window; nan where its run does not say when requests left. `row`: of
    `generators` with its trial's `counted_by` and `window_s`."""
    is_late = not row["lag_p99_ns"] <= LATE_SHARE * 1e9 * row["window_s"]
    return float("nan") if row["counted_by"] == BY_INTENDED_TIME and is_late else float(row["sent_per_s"])


def ceilings(dataset: Dataset) -> pd.DataFrame:
    """Per run and client that was calibrated: `ceiling_per_s`, `ceiling_per_cpu_s`, and of the trial in which it sent
    most `trial` and `most_per_s`. A client that sent more there than its calibration found has no known ceiling."""
    key = ["run", "host"]
    known = dataset.generators.dropna(subset=["ceiling_per_s"]).drop_duplicates(key, keep="last")
    trials = dataset.trials.drop_duplicates(["run", "trial"])[["run", "trial", "counted_by", "window_s"]]
    own = dataset.generators.merge(trials, on=["run", "trial"])
    own = own.assign(most_per_s=[sent_per_s(row) for row in own.to_dict("records")]).dropna(subset=["most_per_s"])
    most = own.sort_values("most_per_s").drop_duplicates(key, keep="last")[[*key, "trial", "most_per_s"]]
    table = known[[*key, "ceiling_per_s", "ceiling_per_cpu_s"]].merge(most, on=key, how="left")
    return table.assign(is_refuted=(table["most_per_s"] > table["ceiling_per_s"]).fillna(False).astype(bool))
