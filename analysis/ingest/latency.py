"""Intervals and histograms: per client and second, merged per second, exact per client, and coarse for the heat map."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis import histograms
from analysis.events import Log
from analysis.histograms import Counts, Sparse
from analysis.ingest.clocks import bounds_ns
from analysis.tables import COUNTS, last_of
from analysis.trials import PERCENTILES

KINDS = ("service", "lag", "connect", "loop_lag")
# A bin of the heat map is a fifth of a decade or so, from 1 µs to 60 s; what is faster or slower is in the last one.
HEAT_EDGES_NS = np.geomspace(1e3, 6e10, 61)


@dataclass(frozen=True)
class Latency:
    """The tables of rows, and `window`: per trial, client and kind the count at every index."""

    intervals: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[dict[str, Any]] = field(default_factory=list)
    heat: list[dict[str, Any]] = field(default_factory=list)
    window: dict[tuple[int, str, str], Counts] = field(default_factory=dict)

    def of(self, trial: int, kind: str) -> Counts:
        """All clients of a trial, merged."""
        return histograms.add(counts for (n, _, k), counts in self.window.items() if (n, k) == (trial, kind))

    def histograms(self, run: str) -> pd.DataFrame:
        """The filled slots as rows of the table `histograms`; texts as categories, for there are millions."""
        keys = list(self.window)
        slots = [np.flatnonzero(self.window[key]) for key in keys]
        lengths = [len(one) for one in slots]

        def repeated(values: Iterable[str]) -> pd.Categorical:
            once = pd.Categorical(list(values))
            return pd.Categorical.from_codes(np.repeat(once.codes, lengths), dtype=once.dtype)

        return pd.DataFrame({
            "run": repeated(run for _ in keys), "trial": np.repeat(np.array([n for n, _, _ in keys], dtype=np.int64), lengths),
            "host": repeated(host for _, host, _ in keys), "kind": repeated(kind for _, _, kind in keys),
            "slot": np.concatenate([*slots, np.empty(0, dtype=np.int64)]).astype(np.int64),
            "count": np.concatenate([*(self.window[k][s] for k, s in zip(keys, slots, strict=True)), np.empty(0, dtype=np.int64)]),
        })  # fmt: skip


def latency(log: Log, intervals: pd.DataFrame) -> Latency:
    """Of the decoded intervals, and of the histograms that each client told at its end."""
    found, bounds = Latency(), bounds_ns(log)
    values = histograms.values_ns()
    bins = np.clip(np.searchsorted(HEAT_EDGES_NS, values, side="left") - 1, 0, len(HEAT_EDGES_NS) - 2)
    for (trial, k, phase), rows in intervals.groupby(["trial", "k", "phase"], sort=True):
        n, second = int(trial), int(k)
        merged = histograms.empty()
        worst = float("nan")
        for row in rows.to_dict("records"):
            part = row["response"]
            bound = bounds.get((n, row["host"]), float("nan"))
            worst = np.fmax(worst, bound)
            if part is not None:
                merged[part.slots] += part.counts
                if phase == "load":
                    own = found.window.setdefault((n, row["host"], "response"), histograms.empty())
                    own[part.slots] += part.counts
            counts = {name: row[name] for name in COUNTS}
            found.intervals.append(_row(log.run, n, row["host"], second, phase, bound, counts, part))
        slots = np.flatnonzero(merged)
        sums = {name: int(rows[name].sum()) for name in COUNTS}
        whole = Sparse(slots, merged[slots]) if rows["response"].notna().all() else None
        found.seconds.append(_row(log.run, n, None, second, phase, float(worst), sums, whole))
        coarse = np.bincount(bins[slots], weights=merged[slots], minlength=len(HEAT_EDGES_NS) - 1)
        found.heat.extend(
            {"run": log.run, "trial": n, "k": second, "low_ns": float(HEAT_EDGES_NS[b]), "high_ns": float(HEAT_EDGES_NS[b + 1]),
             "count": int(coarse[b])} for b in np.flatnonzero(coarse)
        )  # fmt: skip
    for (trial, host), event in done_of(log).items():
        for kind in KINDS:
            try:
                found.window[trial, host, kind] = histograms.decode(event.get(kind))
            except histograms.BadHistogram:
                continue
    return found


def done_of(log: Log) -> dict[tuple[int, str], dict[str, Any]]:
    """The last `done` of each client in each trial."""
    clients = set(log.clients)
    return {(e["trial"], e["host"]): e for e in log.of("done") if e["trial"] is not None and e["host"] in clients}


def _row(
    run: str,
    trial: int,
    host: str | None,
    k: int,
    phase: object,
    bound: float,
    counts: dict[str, int],
    part: Sparse | None,
) -> dict[str, Any]:
    planned = counts["planned"]
    return {
        "run": run, "trial": trial, "host": host, "k": k, "phase": str(phase), "t_s": float(k), "bound_ns": bound,
        **{f"{name}_requests": value for name, value in counts.items()},
        "response_p50_ns": quantile(part, planned, "p50"), "response_p99_ns": quantile(part, planned, "p99"),
        "response_max_ns": float(histograms.values_ns()[part.slots[-1]]) if part is not None and part.total else float("nan"),
    }  # fmt: skip


def quantile(part: Sparse | None, planned: int, name: str) -> float:
    """A percentile of PERCENTILES over planned requests; nan where it is not known or rests on too few."""
    percent = PERCENTILES[name]
    if part is None or histograms.tail(planned, percent) < histograms.WITHHELD_BELOW:
        return float("nan")
    return histograms.sparse_percentile_ns(part, planned, percent)


def of_counts(counts: Counts | None, name: str, planned: int | None = None) -> float:
    """As quantile, of counts at every index; over themselves where nothing was planned (lag, connect)."""
    if counts is None:
        return float("nan")
    slots = np.flatnonzero(counts)
    part = Sparse(slots, counts[slots])
    return quantile(part, part.total if planned is None else planned, name)


def went(log: Log) -> dict[int, dict[str, Any]]:
    """Per trial the moment of go in each host's clock."""
    return {n: at for n, e in last_of(log, "went").items() if isinstance(at := e.get("at_ns"), dict)}
