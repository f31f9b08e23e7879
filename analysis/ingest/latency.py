"""Intervals and histograms: per client and second, merged per second, exact per client, and coarse for the heat map."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis import histograms
from analysis.histograms import MOST_COUNT, Counts, Sparse
from analysis.ingest.events import Log, is_count
from analysis.ingest.fields import number
from analysis.ingest.samples import bounds_ns
from contracts.declared import ADDED, COUNTS
from contracts.histogram import BadHistogram

COUNTED = tuple(f"{name}_requests" for name in COUNTS)
# Those that every run has.
_NEEDED = tuple(name for name in COUNTS if name not in ADDED)
PERCENTILES = {"p50": Fraction(50), "p99": Fraction(99), "p99_9": Fraction(999, 10)}
_TOLD = (*COUNTED, "lag_sum_ns")
_KEY = ["trial", "host", "k", "phase"]
KINDS = ("service", "lag", "connect", "loop_lag")
# A bin of the heat map is a fifth of a decade or so, from 1 µs to 60 s; what is faster or slower is in the last one.
HEAT_EDGES_NS = np.geomspace(1e3, 6e10, 61)


@dataclass(frozen=True)
class Latency:
    """The tables of rows, and `window`: each client's histogram of each kind, by trial."""

    intervals: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[dict[str, Any]] = field(default_factory=list)
    heat: list[dict[str, Any]] = field(default_factory=list)
    window: dict[tuple[int, str, str], Sparse] = field(default_factory=dict)

    def merged(self, kind: str) -> dict[int, Sparse]:
        """Per trial all clients together."""
        parts: dict[int, list[Sparse]] = {}
        for (trial, _, its), part in self.window.items():
            if its == kind:
                parts.setdefault(trial, []).append(part)
        return {trial: histograms.filled(histograms.dense(own)) for trial, own in parts.items()}

    def histograms(self, run: str) -> pd.DataFrame:
        """The filled slots as rows of the table `histograms`; texts as categories, for there are millions."""
        keys, parts = list(self.window), list(self.window.values())
        lengths = [len(part.slots) for part in parts]

        def repeated(values: Iterable[str]) -> pd.Series:
            once = pd.Series(list(values), dtype="category")
            return once.repeat(lengths).reset_index(drop=True)

        return pd.DataFrame(
            {
                "run": repeated(run for _ in keys),
                "trial": np.repeat(np.array([n for n, _, _ in keys], dtype=np.int64), lengths),
                "host": repeated(host for _, host, _ in keys),
                "kind": repeated(kind for _, _, kind in keys),
                "slot": np.concatenate([*(part.slots for part in parts), np.empty(0, dtype=np.int16)]).astype(np.int64),
                "count": np.concatenate([*(part.counts for part in parts), np.empty(0, dtype=np.int64)]),
            }
        )


def interval_table(log: Log) -> tuple[pd.DataFrame, list[str]]:
    """One row per interval event: trial, host, k, phase, the counts (None: an older run lacks it), in `response` the
    decoded histogram, None where it cannot be read or does not hold what was answered."""
    named = dict(zip((*COUNTED, *_KEY, "response"), (*COUNTS, *_KEY, "response"), strict=True))
    rows, bad = [], 0
    for event in log.of("interval"):
        told = all(is_count(event.get(name)) and event[name] <= MOST_COUNT for name in ("trial", "k", *_NEEDED))
        if told and isinstance(event.get("phase"), str):
            lag = {"lag_sum_ns": number(event.get("lag_sum_ns"))}
            rows.append({column: _known(event.get(name), name) for column, name in named.items()} | lag)
        else:
            bad += 1
    notes = [f"{bad:,} interval event(s) lack fields, or hold what cannot be counted, and are left out."] if bad else []
    # The same interval said twice must not count twice.
    table = pd.DataFrame(rows, columns=[*named, "lag_sum_ns"]).drop_duplicates(_KEY, ignore_index=True)
    read = map(_histogram, table["response"], table["answered_requests"])
    table["response"] = pd.Series(list(read), index=table.index, dtype=object)
    return table, notes


def _known(value: Any, name: str) -> Any:
    return value if name not in ADDED or (is_count(value) and value <= MOST_COUNT) else None


def _histogram(text: object, answered: int) -> Sparse | None:
    try:
        found = histograms.sparse(text)
    except BadHistogram:
        return None
    return found if found.total == answered else None


def latency(log: Log, intervals: pd.DataFrame) -> Latency:
    """Of the decoded intervals, and of the histograms that each client told at its end."""
    found, bounds = Latency(), bounds_ns(log)
    ordered = intervals.sort_values(["trial", "k", "phase"], kind="stable").to_dict("records")
    for trial, of_trial in groupby(ordered, key=lambda row: int(row["trial"])):
        window: dict[str, Counts] = {}
        for (k, phase), of_second in groupby(of_trial, key=lambda row: (int(row["k"]), str(row["phase"]))):
            _second(found, log.run, (trial, k, phase), list(of_second), bounds, window)
        for host, counts in window.items():
            found.window[trial, host, "response"] = histograms.filled(counts)
    for (trial, host), event in log.done.items():
        for kind in KINDS:
            try:
                found.window[trial, host, kind] = histograms.sparse(event.get(kind))
            except BadHistogram:
                continue
    return found


def _second(
    found: Latency,
    run: str,
    at: tuple[int, int, str],
    rows: list[dict[Hashable, Any]],
    bounds: dict[tuple[int, str], float],
    window: dict[str, Counts],
) -> None:
    """One second of a trial: a row per client, one of all, the bins of the heat map; and what adds to the window."""
    trial, k, phase = at
    merged, worst = histograms.empty(), float("nan")
    for row in rows:
        part, host = row["response"], row["host"]
        bound = bounds.get((trial, host), float("nan"))
        worst = max(worst, bound) if worst == worst else bound
        if part is not None:
            merged[part.slots] += part.counts
            if phase == "load":
                window.setdefault(host, histograms.empty())[part.slots] += part.counts
        found.intervals.append(_row(run, at, host, bound, {name: row[name] for name in _TOLD}, part))
    whole = histograms.filled(merged)
    is_known = all(row["response"] is not None for row in rows)
    values = {name: [row[name] for row in rows] for name in _TOLD}
    sums = {name: None if None in each else sum(each) for name, each in values.items()}
    found.seconds.append(_row(run, at, None, worst, sums, whole if is_known else None))
    coarse = np.bincount(_bins()[whole.slots], weights=whole.counts, minlength=len(HEAT_EDGES_NS) - 1)
    found.heat.extend(
        {
            "run": run,
            "trial": trial,
            "k": k,
            "low_ns": float(HEAT_EDGES_NS[b]),
            "high_ns": float(HEAT_EDGES_NS[b + 1]),
            "count": int(coarse[b]),
        }
        for b in np.flatnonzero(coarse)
    )


@cache
def _bins() -> npt.NDArray[np.intp]:
    """The bin of the heat map of every slot."""
    places = np.searchsorted(HEAT_EDGES_NS, histograms.values_ns(), side="left") - 1
    return np.clip(places, 0, len(HEAT_EDGES_NS) - 2)


def _row(
    run: str, at: tuple[int, int, str], host: str | None, bound: float, counts: dict[str, Any], part: Sparse | None
) -> dict[str, Any]:
    trial, k, phase = at
    planned = counts["planned_requests"]
    return {
        "run": run,
        "trial": trial,
        "host": host,
        "k": k,
        "phase": phase,
        "t_s": float(k),
        "bound_ns": bound,
        **counts,
        "response_p50_ns": quantile(part, planned, "p50"),
        "response_p99_ns": quantile(part, planned, "p99"),
        "response_max_ns": float(histograms.values_ns()[part.slots[-1]])
        if part is not None and part.total
        else float("nan"),
    }


def quantile(part: Sparse | None, planned: int, name: str) -> float:
    """A percentile of PERCENTILES over planned requests; nan where it is not known or rests on too few."""
    percent = PERCENTILES[name]
    if part is None or histograms.tail(planned, percent) < histograms.WITHHELD_BELOW:
        return float("nan")
    return histograms.sparse_percentile_ns(part, planned, percent)


def own_quantile(part: Sparse | None, name: str) -> float:
    """As quantile, over the values themselves: those of lag and connect, which are of what was sent and what stood."""
    return quantile(part, part.total if part is not None else 0, name)


def share_above(part: Sparse | None, limit_ns: float) -> float:
    """How many of the values lie above it, as a share; nan of nothing."""
    if part is None or not part.total:
        return float("nan")
    beyond = histograms.values_ns()[part.slots] > limit_ns
    return float(part.counts[beyond].sum()) / part.total
