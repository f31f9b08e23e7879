"""The one way to a dataset: read what was given, derive what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis import contrasts, estimates
from analysis.checks import findings_table
from analysis.ingest.run import ingest
from analysis.model import Dataset, union


def load(given: Sequence[str], *, baseline: str | None = None) -> Dataset:
    """The runs of these directories, with everything derived. `baseline`: the strategy to compare with."""
    return derive(union([ingest(one) for one in given]), baseline=baseline)


def derive(raw: Dataset, *, baseline: str | None = None) -> Dataset:
    """Metrics, then what the checks find, then estimates and contrasts: a struck cell is compared with nothing."""
    data = replace(raw, metrics=estimates.metrics_table(raw))
    data = replace(data, findings=findings_table(data))
    data = replace(data, estimates=estimates.estimates_table(data))
    return replace(data, contrasts=contrasts.contrasts_table(data, baseline))
