"""A figure and its interval as text, the same in the terminal and in the report."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis import format as show
from analysis.metrics import METRICS

SAYS_NOTHING = 1000.0  # of an interval, end over end
UNITS = {"1/s": "/s", "connections": "", "ns": ""}


@dataclass(frozen=True)
class Shown:
    """`low` and `high` are empty where the repetitions give no interval, or one that says nothing; `why` says which."""

    text: str
    low: str = ""
    high: str = ""
    why: str = ""
    is_marked: bool = False  # rests on fewer than 100 tail events


def shown(row: Mapping[Hashable, Any], metric: str) -> Shown:
    """The figure of a metric in a row of answers.glance, its digits by its interval."""
    value, low, high = (float(row[f"{metric}_{part}"]) for part in ("value", "low", "high"))
    text = show.time if METRICS[metric].unit == "ns" else show.number
    is_marked = row[f"{metric}_quality"] == "marked"
    if math.isnan(value):
        return Shown(show.NOTHING, why="not measured")
    if math.isnan(low) or math.isnan(high):
        return Shown(text(value), why="one repetition: no interval", is_marked=is_marked)
    if low > 0 and high / low >= SAYS_NOTHING:
        return Shown(text(value), why="too few repetitions for an interval", is_marked=is_marked)
    spread = spread_of(low, high)
    return Shown(text(value, spread), text(low, spread), text(high, spread), is_marked=is_marked)


def spread_of(low: float, high: float) -> float:
    """Half the width of an interval; 0 where there is none."""
    half = (high - low) / 2
    return half if math.isfinite(half) else 0.0


def bracketed(value: float, low: float, high: float, unit: str = "") -> str:
    """A number, its unit and its interval in brackets; the number alone without one."""
    spread = spread_of(low, high)
    interval = "" if math.isnan(low) else f" [{show.number(low, spread)}, {show.number(high, spread)}]"
    return f"{show.number(value, spread)}{unit}{interval}"


def with_unit(metric: str, value: float, spread: float) -> str:
    """The figure with its unit."""
    unit = METRICS[metric].unit
    text = show.time(value, spread) if unit == "ns" else show.number(value, spread)
    return text if text in (show.NOTHING, show.BEYOND) else f"{text}{UNITS.get(unit, f' {unit}')}"


def share(value: float) -> str:
    """A share in percent."""
    if math.isnan(value):
        return show.NOTHING
    return "0" if value == 0 else f"{show.number(100 * value, most=2)} %"


def against(row: Mapping[Hashable, Any]) -> str:
    """The ratio to the baseline and the word for it, such as `0.33 × worse`; the word alone without a ratio."""
    ratio = float(row["ratio"])
    if math.isnan(ratio):
        return str(row["verdict"])
    return f"{show.number(ratio, spread_of(float(row['ratio_low']), float(row['ratio_high'])))} × {row['verdict']}"
