"""A figure and its interval as text, the same in the terminal and in the report."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from analysis import format as show
from analysis.estimates import CONFIDENCE
from analysis.metrics import METRICS

INTERVAL = f"{100 * CONFIDENCE:.0f} % interval"
RANGE = "range of the repetitions"
SAYS_NOTHING = 1000.0  # of an interval, end over end
UNITS = {"1/s": "/s", "connections": "", "ns": ""}


@dataclass(frozen=True)
class Shown:
    """`low` and `high` are empty where the repetitions give no interval, or one that says nothing; `why` says which.
    `interval` is what they are the ends of."""

    text: str
    low: str = ""
    high: str = ""
    why: str = ""
    interval: str = INTERVAL
    is_marked: bool = False  # rests on fewer than 100 tail events
    doubt: str = ""  # the findings that forbid a claim on it


def shown(row: Mapping[Hashable, Any], metric: str) -> Shown:
    """The figure of a metric in a row of answers.glance, its digits by its interval; of what a ratio is of as many that
    the ratio shows."""
    value, low, high = (float(row[f"{metric}_{part}"]) for part in ("value", "low", "high"))
    text = show.time if METRICS[metric].unit == "ns" else show.number
    is_marked, doubt = row[f"{metric}_quality"] == "marked", str(row[f"{metric}_doubt"])
    if math.isnan(value):
        return Shown(show.NOTHING, why="not measured")
    spread, most = spread_of(low, high), 3
    if metric == row["ratio_metric"] and row["verdict"]:
        finest = abs(value) * float(row["finest"]) / 2
        spread, most = min(spread, finest) if spread else 0.0, max(3, 2 - math.floor(math.log10(float(row["finest"]))))
    told = text(value, spread, most=most) if math.isfinite(value) else text(value)
    found = Shown(told, is_marked=is_marked, doubt=doubt)
    if why := undetermined(low, high):
        return replace(found, why=why)
    low_text, high_text = (text(end, spread_of(low, high)) for end in (low, high))
    is_range = float(row.get(f"{metric}_confidence", CONFIDENCE)) < CONFIDENCE
    return replace(found, low=low_text, high=high_text, interval=RANGE if is_range else INTERVAL)


def undetermined(low: float, high: float, doubt: str = "") -> str:
    """Why nothing may rest on a figure with this interval, which these findings forbid; empty where something may. An
    end beyond the timeout is one."""
    if doubt:
        worst, *more = doubt.split()
        return f"▲{worst}" + (f" and {len(more)} more" if more else "")
    if math.isnan(low) or math.isnan(high):
        return "one repetition: no interval"
    if low > 0 and SAYS_NOTHING <= high / low < math.inf:
        return "too few repetitions for an interval"
    return ""


def is_forbidden(why: str) -> bool:
    """Whether that is a finding, and not only that there are few repetitions."""
    return why.startswith("▲")


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


def against(row: Mapping[Hashable, Any]) -> tuple[str, str, str]:
    """The ratio to the baseline, its interval and the word for it, such as `0.33 ×`, `[0.30, 0.36]` and `worse`; what
    is not known is empty."""
    ratio, low, high = (float(row[name]) for name in ("ratio", "ratio_low", "ratio_high"))
    if math.isnan(ratio):
        return "", "", str(row["verdict"])
    value, _, interval = times(ratio, low, high).partition(" × ")
    is_open = low <= 0 or high / low >= SAYS_NOTHING
    return f"{value} ×", "undetermined" if is_open else interval, str(row["verdict"])


def times(value: float, low: float, high: float) -> str:
    """Such as `1.22 × [1.09, 1.38]`, with the digits of its interval; and as many as it takes for no part of it to
    become 1 that is not."""
    ends, spread = (value, low, high), spread_of(low, high)
    texts = [show.number(one, spread) for one in ends]
    for digits in range(3, 8):
        if not any(
            one != 1 and text in ("1", f"{1:.{digits}f}"[: len(text)]) for text, one in zip(texts, ends, strict=True)
        ):
            break
        texts = [show.number(one, spread, most=digits, least=digits) for one in ends]
    return f"{texts[0]} × [{texts[1]}, {texts[2]}]"
