"""An answer as a claim states it before the run, and the cells that it names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.ingest.fields import mapping
from analysis.metrics import METRICS, Metric
from analysis.statistics.claim import Bound
from contracts.claim import BOUNDS, ESTIMATES

PER = 1000  # connections, of a slope


@dataclass(frozen=True)
class Stated:
    """An answer as it was stated. `of` and `to` name cells by the levels of their factors."""

    name: str
    says: str
    estimate: str
    metric: Metric
    of: Mapping[str, Any]
    to: Mapping[str, Any]
    bound: Bound


def read(given: Mapping[str, Any]) -> Stated | None:
    """An answer of a plan, which anybody may have written; None where it is none."""
    bounds = [kind for kind in BOUNDS if isinstance(given.get(kind), (int, float)) and math.isfinite(given[kind])]
    metric, estimate = METRICS.get(str(given.get("metric"))), given.get("estimate")
    if len(bounds) != 1 or metric is None or estimate not in ESTIMATES:
        return None
    if bounds[0] == "within" and estimate != "ratio":
        return None
    return Stated(
        str(given.get("name", "")), str(given.get("says", "")), str(estimate), metric, mapping(given.get("of")),
        mapping(given.get("to")), Bound(bounds[0], float(given[bounds[0]])),
    )  # fmt: skip


def picked(cells: pd.DataFrame, levels: Mapping[str, Any]) -> list[str]:
    """The cells that have all these levels."""
    return [
        str(row["cell"])
        for row in cells.to_dict("records")
        if all(name in row and _same(row[name], level) for name, level in levels.items())
    ]


def _same(found: Any, level: Any) -> bool:
    if level is None or pd.isna(found):
        return level is None and bool(pd.isna(found))
    if isinstance(level, (int, float)) and isinstance(found, (int, float)):
        return float(found) == float(level)
    return str(found) == str(level)


def one_cell(cells: pd.DataFrame, levels: Mapping[str, Any]) -> tuple[str, str]:
    """The one cell that has these levels, or why there is none."""
    found = picked(cells, levels)
    named = ", ".join(f"{name} {level}" for name, level in levels.items())
    if len(found) == 1:
        return found[0], ""
    return "", f"{len(found) or 'no'} cell{'s have' if len(found) > 1 else ' has'} {named}"


def bound_text(one: Stated) -> str:
    """What was claimed of the figure, such as `at least 2.0 ×`."""
    bound = one.bound
    if bound.kind == "within":
        return f"equal within {show.number(100 * bound.number, most=3)} %"
    number = show.time(bound.number) if one.metric.unit == "ns" and one.estimate == "level" else ""
    unit = {"ratio": " ×", "slope": f" {one.metric.unit} per {PER:,}"}.get(one.estimate, "")
    return f"{bound.kind.replace('_', ' ')} {number or show.number(bound.number, most=3)}{unit}"
