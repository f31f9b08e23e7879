"""Fields of a foreign document, taken for what they should be or not at all: nothing in a file can raise here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from analysis.ingest.events import is_count


def mapping(value: object) -> dict[str, Any]:
    """A JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """A JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def count(value: object) -> int | None:
    """A whole number from 0 that fits 64 bits."""
    return int(value) if isinstance(value, int) and is_count(value) else None


def whole(value: object) -> int | None:
    """A whole number of either sign that fits 64 bits."""
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return value if is_whole and isinstance(value, int) else None


def number(value: object) -> float:
    """A finite number; nan for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        found = float(value)
    except OverflowError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def figure(value: object) -> float:
    """A number that may be infinite, as a percentile among the requests never answered is; nan for anything else."""
    return float(value) if isinstance(value, (int, float)) and value in (math.inf, -math.inf) else number(value)


def text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def typed(kind: str, value: object) -> int | float | str | bool | None:
    """The value as one of a column's kind; missing where it is none."""
    readers: dict[str, Callable[[object], int | float | str | bool | None]] = {
        "int": whole, "float": figure, "text": text, "bool": truth
    }  # fmt: skip
    return readers[kind](value)


def pairs(value: object) -> Iterator[tuple[int, int]]:
    """The pairs of whole numbers of an array."""
    for one in listing(value):
        if isinstance(one, list) and len(one) == 2 and all(map(is_count, one)):
            yield one[0], one[1]


def as_json(value: object) -> str:
    """The document as text; keys in order, so that the same is the same."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True)
