"""Checks of the clients against each other and against the law of arrivals."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis import format as show
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.shared import KEY, PACED, by_trial, client_rows, clients, paced, where
from analysis.histograms import values_ns
from analysis.model import Dataset

FEWEST = 3  # of two clients nobody can say which one is wrong
Floats = npt.NDArray[np.float64]


def gn7_disagree(dataset: Dataset) -> Iterable[Observation]:
    """By the p99 of each client; where these are alike, by the p99 without each; and by what each sent."""
    members = clients(dataset)
    members = members[members.groupby(KEY)["host"].transform("size") >= FEWEST]
    odd = [one for run, trial, own in by_trial(members) for one in _by_tail(run, trial, own)]
    named = {(one.run, one.trial) for one in odd}
    yield from odd
    for one in leave_one_out(dataset, members):
        if (one.run, one.trial) not in named:
            yield one
    for run, trial, own in by_trial(paced(members)):
        yield from _by_share(run, trial, own)


def _by_tail(run: str, trial: int, members: pd.DataFrame) -> Iterable[Observation]:
    middle = float(members["response_p99_ns"].median())
    for host, own in zip(members["host"], members["response_p99_ns"], strict=True):
        if math.isfinite(middle) and own > threshold("client_ratio") * middle:
            text = f"{host}'s p99 response is {show.time(own)}, the median client's {show.time(middle)}"
            yield seen({"run": run, "trial": trial, "host": host}, text, own / middle, p99_ns=own, median_ns=middle)


def _by_share(run: str, trial: int, members: pd.DataFrame) -> Iterable[Observation]:
    """Clients that sent another share of the requests than was their own."""
    sent = members["sent_per_s"] * members["window_s"]
    wanted = members["rate_share_per_s"] * (sent.sum() / (members["rate_share_per_s"].sum() or np.nan))
    for host, own, due in zip(members["host"], sent, wanted, strict=True):
        if abs(own - due) > max(threshold("share") * due, threshold("share_errors") * math.sqrt(due)):
            text = f"{host} sent {show.count(own)} requests where its share was {show.count(due)}"
            yield seen({"run": run, "trial": trial, "host": host}, text, abs(own / due - 1), sent=own, share=due)


def leave_one_out(dataset: Dataset, members: pd.DataFrame) -> Iterable[Observation]:
    """Trials whose p99 hangs on one client, for it would be lower without: of answered requests, merged exactly."""
    wanted = set(zip(members["run"], members["trial"], strict=True))
    response = dataset.histograms["kind"] == "response"
    for run, trial, rows in by_trial(where(dataset.histograms, response)):
        if (run, trial) not in wanted:
            continue
        slots, counts = rows["slot"].to_numpy(dtype=np.int64), rows["count"].to_numpy(dtype=float)
        codes, names = pd.factorize(rows["host"], sort=True)
        is_of = {str(name): codes == code for code, name in enumerate(names)}
        if len(is_of) < FEWEST or min(counts[mask].sum() for mask in is_of.values()) < 100 * threshold("client_tail"):
            continue
        whole = p99_ns(np.bincount(slots, counts).astype(float))
        for host, mask in is_of.items():
            rest = p99_ns(np.bincount(slots[~mask], counts[~mask]).astype(float))
            if 1 - rest / whole > threshold("leave_one_out"):
                text = f"Without {host} the p99 response would be {show.time(rest)} and not {show.time(whole)}"
                at = {"run": run, "trial": trial, "host": host}
                yield seen(at, text, 1 - rest / whole, p99_ns=whole, without_ns=rest)


def p99_ns(counts: Floats) -> float:
    """Of the values in these slots of the HDR histogram, the one of rank ceil(0.99 n); whole numbers throughout."""
    total = counts.sum()
    rank = total - total // 100
    return float(values_ns()[np.searchsorted(np.cumsum(counts), rank)])


def gn10_arrival_law(dataset: Dataset) -> Iterable[Observation]:
    for row in client_rows(dataset):
        gaps = _gaps(row["send_gaps_ns"])
        if row["workload"] not in PACED or len(gaps) < threshold("arrival_sample"):
            continue
        if gaps.mean() < threshold("arrival_gap"):
            continue
        found = distance(gaps, str(row["arrival"]))
        if found > threshold("arrival_distance"):
            text = f"The gaps between {row['host']}'s sends are {found:.2f} away from the law {row['arrival']}"
            yield seen(row, text, found, distance=found, gaps=len(gaps))


def distance(gaps: Floats, law: str) -> float:
    """How far gaps are from a law of arrivals, 0 to 1.

    poisson: Kolmogorov-Smirnov distance to the exponential law of their mean (A. N. Kolmogorov, 1933); fixed: the share
    that is off the mean by more than a half; 0 for uniform, whose gaps take every value.
    """
    if law == "poisson":
        below = -scipy.special.expm1(-np.sort(gaps / gaps.mean()))
        places = np.arange(len(gaps) + 1) / len(gaps)
        return float(max((places[1:] - below).max(), (below - places[:-1]).max()))
    return float(np.mean(np.abs(gaps / gaps.mean() - 1) > 0.5)) if law == "fixed" else 0.0


def _gaps(text: Any) -> Floats:
    try:
        values = np.array(json.loads(text) if isinstance(text, str) else [], dtype=np.float64)
    except (ValueError, TypeError):
        return np.array([], dtype=np.float64)
    return values if values.ndim == 1 and len(values) and (values >= 0).all() and values.any() else values[:0].ravel()
