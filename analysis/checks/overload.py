"""Checks of the load against what the server made of it: was it sustained, does the server's own account agree?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis import format as show
from analysis.checks import beside
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.lateness import schedule
from analysis.checks.shared import KEY, by_trial, number, paced, percent, trials, where
from analysis.ingest.trials import BY_INTENDED_TIME
from analysis.model import Dataset

Floats = npt.NDArray[np.float64]
# Requests of which no reply is to come, or that the generator never came to: the server owes none of them.
NOT_OWED = ("mismatched_requests", "failed_requests", "unsent_late_requests")


def sv6_overloaded(dataset: Dataset) -> Iterable[Observation]:
    """Paced loads of which the server owes more and more replies, from the first half of the window to the second; not
    where it owes them to one client alone, for then that client, or its path, is what fell behind (GN2, GN7)."""
    samples = {(run, n): own for run, n, own in by_trial(dataset.server_samples.dropna(subset=["bytes_out"]))}
    seconds = where(dataset.seconds, dataset.seconds["phase"] == "load").drop_duplicates([*KEY, "k"])
    clients = where(dataset.intervals, dataset.intervals["phase"] == "load").drop_duplicates([*KEY, "host", "k"])
    parted = {(run, n): own for run, n, own in by_trial(clients)}
    wanted = paced(trials(dataset))[[*KEY, "payload_bytes", "hostile"]]
    table = seconds.merge(wanted, on=KEY).sort_values([*KEY, "k"])
    for run, trial, own in by_trial(table):
        planned, came = _floats(own, "planned_requests"), _came(own, samples.get((run, trial)))
        owed = planned - came - _not_owed(own)
        halves = [half for half in np.array_split(np.arange(len(own)), 2) if len(half)]
        growths = [float(owed[half].sum() / max(1.0, planned[half].sum())) for half in halves]
        growth = float(owed.sum())
        is_grown = growth > max(threshold("backlog") * planned.sum(), threshold("backlog_least"))
        if is_grown and min(growths) > threshold("backlog") / 2 and not _of_one(parted.get((run, trial)), growth):
            text = (
                f"Of {show.number(planned.mean())} requests/s {show.number(came.mean())}/s came back: the backlog grew "
                f"by {show.count(growth)} in the window"
            )
            at, size = {"run": run, "trial": trial}, growth / planned.sum()
            yield seen(at, text, size, backlog=growth, planned_per_s=planned.mean(), arrived_per_s=came.mean())


def _not_owed(seconds: pd.DataFrame) -> Floats:
    return np.asarray(sum(np.nan_to_num(_floats(seconds, name)) for name in NOT_OWED), dtype=np.float64)


def _of_one(intervals: pd.DataFrame | None, growth: float) -> bool:
    """Whether most of a backlog is one client's, and the others have none."""
    if intervals is None or intervals["host"].nunique() < 2:
        return False
    owed, planned = {}, {}
    for host, own in intervals.groupby("host", observed=True):
        asked = _floats(own, "planned_requests")
        owed[host] = float((asked - _floats(own, "arrived_requests") - _not_owed(own)).sum())
        planned[host] = float(asked.sum())
    worst = max(owed, key=lambda host: owed[host])
    others, of_others = sum(owed.values()) - owed[worst], sum(planned.values()) - planned[worst]
    return owed[worst] > growth / 2 and others <= threshold("backlog") * of_others


def _came(seconds: pd.DataFrame, samples: pd.DataFrame | None) -> Floats:
    """Replies of each second: those that the clients read, or in an older run those that the server's workers sent; nan
    where neither is known."""
    told = _floats(seconds, "arrived_requests")
    if not np.isnan(told).any() or samples is None or len(samples) < 2 or seconds["hostile"].notna().any():
        return told
    t, sent = _floats(samples, "t_s"), _floats(samples, "bytes_out")
    k = _floats(seconds, "k")
    growth = np.interp(k + 1, t, sent, right=np.nan) - np.interp(k, t, sent, left=np.nan)
    return np.asarray(growth / number(seconds["payload_bytes"].iloc[0], np.nan), dtype=np.float64)


def sv7_saturated(dataset: Dataset) -> Iterable[Observation]:
    """A paced load that all but fills the server's CPUs: what it costs cannot be seen to cost more."""
    for row in schedule(dataset).merge(trials(dataset)[[*KEY, "requests_per_s"]], on=KEY).to_dict("records"):
        share = row["server_cpu_share"]
        if share == share and not row["room"]:
            most = row["usable"] * 1e6 / row["requests_per_s"] if row["requests_per_s"] else np.nan
            text = (
                f"The server used {show.number(share)} of {show.number(row['usable'])} CPUs: at "
                f"{show.number(row['requests_per_s'])} requests/s no cost above {show.number(most)} µs can show"
            )
            yield seen(row, text, share / row["usable"], cpus=share, usable=row["usable"], most_us=most)


def sv8_wait_for_each_other(dataset: Dataset) -> Iterable[Observation]:
    """Two that run side by side under paced loads, and leave their CPUs hardly any time."""
    for row in schedule(dataset).to_dict("records"):
        if beside.partner(dataset, row) and row["both"] > threshold("both") * row["usable_both"]:
            size = row["both"] / row["usable_both"]
            text = f"The server and the one beside it used {percent(size)} of their CPUs: they wait for each other"
            yield seen(row, text, size, cpus=row["both"], own=row["server_cpu_share"], usable=row["usable_both"])


def dt9_unlike_echoes(dataset: Dataset) -> Iterable[Observation]:
    """Replies of the window against what the server's workers sent in it."""
    table = trials(dataset)
    for row in table.dropna(subset=["requests_per_s", "window_s", "echoed_requests"]).to_dict("records"):
        came, echoed = row["requests_per_s"] * row["window_s"], row["echoed_requests"]
        if abs(came - echoed) > max(threshold("echoes") * echoed, threshold("backlog_least")):
            is_by_time = row["counted_by"] == BY_INTENDED_TIME
            how = "were due in the window and answered" if is_by_time else "came in the window"
            text = f"{show.count(came)} replies {how}, the server sent {show.count(echoed)} in it"
            size = abs(came / max(1.0, echoed) - 1)
            yield seen(row, f"{text}: {percent(size)} apart", size, replies=came, echoes=echoed)


def _floats(table: pd.DataFrame, name: str) -> Floats:
    return table[name].to_numpy(dtype=np.float64, na_value=np.nan)
