"""Fields of a foreign document, taken for what they should be or not at all: nothing in a file can raise here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from analysis.ingest.events import MOST, is_count

Row = dict[str, Any]


def taken(table: str, *documents: object) -> Row:
    """What these documents tell under the names of a table's columns, each as its column's kind or missing. Of several
    that tell the same the last one counts."""
    from analysis.model import TABLES  # with pandas, which takes a while to import, and `watch` does without

    columns = TABLES[table].columns
    told = [one for document in documents for one in mapping(document).items() if one[0] in columns]
    return {name: KINDS[columns[name][0]](value) for name, value in told}


def mapping(value: object) -> dict[str, Any]:
    """A JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """A JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def count(value: object) -> int | None:
    """A whole number from 0 up to MOST."""
    return int(value) if isinstance(value, int) and is_count(value) else None


def whole(value: object) -> int | None:
    """A whole number of either sign, up to MOST."""
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST
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


def text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


KINDS: Mapping[str, Callable[[object], int | float | str | bool | None]] = {
    "int": whole, "float": number, "text": text, "bool": truth
}  # fmt: skip


def as_json(value: object) -> str:
    """The document as text; keys in order, so that the same is the same."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True)
