"""What the other trial of a duet used, meanwhile, of the hosts that both share: it is neither a stranger there nor
nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.checks.shared import KEY, by_trial, client_rows, number, once
from analysis.model import Dataset
from contracts.declared import OUTCOMES

Key = tuple[str, int]
Floats = npt.NDArray[np.float64]


@once
def partners(dataset: Dataset) -> dict[Key, int]:
    """By run and trial the number of the trial beside."""
    duets = dataset.trials.dropna(subset=["beside"])
    return {(str(run), int(n)): int(other) for run, n, other in zip(*(duets[c] for c in (*KEY, "beside")), strict=True)}


def partner(dataset: Dataset, row: Mapping[Any, Any]) -> Key | None:
    """The run and the trial beside that of a row."""
    other = partners(dataset).get((row["run"], int(row["trial"])))
    return None if other is None else (str(row["run"]), other)


@once
def _gone(dataset: Dataset) -> dict[Key, float]:
    """When each trial began, in seconds of the controller's clock."""
    known = dataset.trials.dropna(subset=["go_ns"])
    return {(str(run), int(n)): int(at) / 1e9 for run, n, at in zip(*(known[c] for c in (*KEY, "go_ns")), strict=True)}


@once
def _spent(dataset: Dataset) -> dict[Key, tuple[Floats, Floats]]:
    """Of the server of each trial its CPU time so far, ns, and when that was, seconds."""
    known = dataset.server_samples.dropna(subset=["t_s", "cpu_user_ns", "cpu_system_ns"]).sort_values("t_s")
    return {
        (run, n): (own["t_s"].to_numpy(dtype=float), (own["cpu_user_ns"] + own["cpu_system_ns"]).to_numpy(dtype=float))
        for run, n, own in by_trial(known)
    }


def cpu_ns(dataset: Dataset, row: Mapping[Any, Any], start_s: float, end_s: float) -> float:
    """CPU time of the server beside that of a row, between these seconds of the row's trial; 0 where none is known."""
    other = partner(dataset, row)
    if other is None or other not in _spent(dataset):
        return 0.0
    began, gone = (str(row["run"]), int(row["trial"])), _gone(dataset)
    later_s = gone[other] - gone[began] if other in gone and began in gone else 0.0
    # One that ended early spends nothing more.
    start, end = np.interp([start_s - later_s, end_s - later_s], *_spent(dataset)[other])
    return float(end - start)


@once
def senders(dataset: Dataset) -> dict[tuple[str, int, str], dict[Any, Any]]:
    """By run, trial and host what each client says of itself, whatever became of its trial."""
    return {(row["run"], int(row["trial"]), row["host"]): row for row in client_rows(dataset, OUTCOMES)}


def sender(dataset: Dataset, row: Mapping[Any, Any]) -> dict[Any, Any] | None:
    """What the client on the same host says of itself in the trial beside."""
    other = partner(dataset, row)
    return None if other is None else senders(dataset).get((*other, row["host"]))


def sent(dataset: Dataset, row: Mapping[Any, Any]) -> float:
    """How many requests that client sent in its window."""
    other = sender(dataset, row)
    return 0.0 if other is None else number(other["sent_per_s"], 0.0) * number(other["window_s"], 0.0)
