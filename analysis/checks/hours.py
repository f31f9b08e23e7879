"""Checks of a window of hours: what grew from its first quarter of an hour on?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.shared import KEY, by_trial, contender, number, trials
from analysis.model import Dataset
from analysis.statistics.series import Slope, slope

HOUR_S = 3600.0
MB = 1e6


@dataclass(frozen=True)
class Rise:
    """By how much something rises in an hour, in `unit`, and by how much it may."""

    what: str
    unit: str
    an_hour: Slope
    allowed: float

    @property
    def text(self) -> str:
        of = self.an_hour
        return f"{self.what} by {_signed(of.value)} [{_signed(of.low)}, {_signed(of.high)}] {self.unit}".strip()

    @property
    def grows(self) -> bool:
        return self.an_hour.low > self.allowed


def _signed(value: float) -> str:
    return f"{value:+.3g}" if abs(value) >= 5e-4 else "0"


def _settled() -> str:
    return f"from {threshold('hours_settled') / 60:g} min on"


def hr1_hours(dataset: Dataset) -> Iterable[Observation]:
    """Every slope of each long window."""
    for row, rises in _long(dataset):
        told = "; ".join(rise.text for rise in rises)
        slopes = {rise.what: vars(rise.an_hour) for rise in rises}
        yield seen(row, f"{contender(row)}: {_settled()} each hour changed {told}", 0.0, slopes=slopes)


def hr2_grows(dataset: Dataset) -> Iterable[Observation]:
    """What surely rises by more than is allowed."""
    for row, rises in _long(dataset):
        for rise in rises:
            if rise.grows:
                text = f"{contender(row)}: {_settled()} each hour raised {rise.text}"
                yield seen(row, text, rise.an_hour.low, an_hour=vars(rise.an_hour), allowed=rise.allowed)


def _long(dataset: Dataset) -> Iterator[tuple[dict[Any, Any], list[Rise]]]:
    table = trials(dataset)
    table = table[table["window_s"].fillna(table["duration"].astype(float)) >= threshold("hours_window")]
    tables = {name: dict(_by_trial(getattr(dataset, name))) for name in ("server_samples", "own_samples", "seconds")}
    for row in table.to_dict("records"):
        start = number(row["warmup"], 0.0) + threshold("hours_settled")
        end = number(row["warmup"], 0.0) + number(row["window_s"], number(row["duration"], 0.0))
        own = {name: found.get((row["run"], row["trial"])) for name, found in tables.items()}
        rises = [rise for rise in _rises(own, start, end) if rise is not None]
        if rises:
            yield row, rises


def _by_trial(table: pd.DataFrame) -> Iterator[tuple[tuple[str, int], pd.DataFrame]]:
    yield from (((run, trial), own) for run, trial, own in by_trial(table.dropna(subset=KEY)))


def _rises(own: dict[str, pd.DataFrame | None], start: float, end: float) -> Iterator[Rise | None]:
    memory, few = threshold("hours_memory") / MB, threshold("hours_descriptors")

    def rise(
        table: pd.DataFrame, time: str, column: str, what: str, unit: str, allowed: float, per: float = 1.0
    ) -> Rise | None:
        inside = table[(table[time] >= start) & (table[time] <= end)]
        times, values = (inside[name].to_numpy(dtype=float, na_value=np.nan) for name in (time, column))
        found = slope(times / HOUR_S, values / per)
        return Rise(what, unit, found, allowed) if found else None

    server = own["server_samples"]
    if server is not None:
        yield rise(server, "t_s", "rss_bytes", "the server's memory", "MB", memory, MB)
        yield rise(server, "t_s", "fds", "its descriptors", "", few)
    table = own["own_samples"]
    for host, part in table.groupby("host", observed=True) if table is not None else ():
        whose = "of the conductor" if host == "controller" else f"of what measures on {show.visible(str(host))}"
        yield rise(part, "t_s", "rss_bytes", f"the memory {whose}", "MB", memory, MB)
        yield rise(part, "t_s", "descriptors", f"the descriptors {whose}", "", few)
    seconds = own["seconds"]
    if seconds is not None:
        sent = seconds["sent_requests"].astype(float)
        late = seconds.assign(lag_ns=seconds["lag_sum_ns"] / sent.where(sent > 0))
        yield rise(late, "k", "lag_ns", "the mean lag of the generators", "µs", threshold("hours_lag") / 1e3, 1e3)
        base = float(seconds["response_p99_ns"].median())
        yield rise(
            seconds, "k", "response_p99_ns", "the p99 of a second", "ms", threshold("hours_p99") * base / 1e6, 1e6
        )
