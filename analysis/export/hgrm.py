"""Percentile distributions in the text format of HdrHistogram, which its plotters read.

Format: HdrHistogram, AbstractHistogram.outputPercentileDistribution (Java), values in milliseconds. Their tools step
through percentiles; here every filled slot has its line, so that the curve is exact.
"""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from analysis import histograms
from analysis.answers import series
from analysis.model import Dataset

HEADING = f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}"
MS = 1e6
KEY = ["run", "trial", "kind"]


def write_all(dataset: Dataset, folder: Path) -> list[Path]:
    """One file per trial and kind, all clients merged; OSError where `folder` cannot be made or written."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = never_answered(dataset)
    names = dataset.trials.set_index(["run", "trial"])["strategy"].to_dict()
    paths = []
    for (run, trial, kind), members in dataset.histograms.groupby(KEY, observed=True, sort=False):
        absent = int(missing.get((run, trial), 0)) if kind == "response" else 0
        what = names.get((run, trial), "calibration")
        path = folder / f"{plain(run)}-{trial:03d}-{plain(what)}-{plain(kind)}.hgrm"
        path.write_text(text(series.counts(members), absent), encoding="utf-8")
        paths.append(path)
    return paths


def never_answered(dataset: Dataset) -> dict[Any, float]:
    """Per trial the planned requests of the window that have no right answer: they are beyond every value."""
    window = dataset.intervals[dataset.intervals["phase"].eq("load").fillna(False)]
    absent = (window["planned_requests"] - window["answered_requests"]).clip(lower=0)
    return absent.groupby([window["run"], window["trial"]]).sum().to_dict()


def plain(name: object) -> str:
    """A text of others as part of a file's name; a name that had to be changed keeps apart from what it looks like."""
    given = str(name)
    safe = re.sub(r"[^A-Za-z0-9._-]|^\.", "_", given)[:80]
    return safe if safe == given else f"{safe}-{zlib.crc32(given.encode('utf-8', 'replace')):08x}"


def text(counts: histograms.Counts, absent: int = 0) -> str:
    """The distribution of the counts at every slot. `absent`: planned requests without an answer; percentiles are of
    all that were planned, so that with them the curve ends below 100 %."""
    slots = np.flatnonzero(counts)
    answered = int(counts.sum())
    planned, running = answered + absent, 0
    lines = [HEADING, ""]
    for slot in slots:
        running += int(counts[slot])
        line = f"{histograms.values_ns()[slot] / MS:12.6f} {running / planned:14.12f} {running:10d}"
        lines.append(line + (f" {planned / (planned - running):14.2f}" if running < planned else ""))
    mean, deviation = moments(counts)
    highest = histograms.values_ns()[slots[-1]] / MS if len(slots) else 0.0
    lines += [
        f"#[Mean    = {mean / MS:12.6f}, StdDeviation   = {deviation / MS:12.6f}]",
        f"#[Max     = {highest:12.6f}, Total count    = {answered:12d}]",
        f"#[Buckets = {histograms.BUCKETS:12d}, SubBuckets     = {histograms.SUB_BUCKETS:12d}]",
    ]
    if absent:
        lines.append(f"#[Never answered = {absent}, of {planned} planned]")
    return "\n".join(lines) + "\n"


def moments(counts: histograms.Counts) -> tuple[float, float]:
    """Mean and standard deviation, nanoseconds, of the middles of the slots, as HdrHistogram has them; 0 of nothing."""
    total = int(counts.sum())
    if not total:
        return 0.0, 0.0
    highs = histograms.values_ns()
    lows = np.concatenate([[0.0], highs[:-1] + 1])
    middles = lows + (highs - lows + 1) // 2
    mean = float((middles * counts).sum() / total)
    return mean, math.sqrt(float((counts * (middles - mean) ** 2).sum() / total))
