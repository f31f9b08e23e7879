"""The objective of a run, such as p99=10ms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from analysis import format as show
from contracts.declared import PARAMETERS

DEFAULT = str(PARAMETERS["slo"].default)
UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
OBJECTIVE = re.compile(r"p(\d{1,2}(?:\.\d+)?)=(\d+(?:\.\d+)?)(ns|us|ms|s)")


@dataclass(frozen=True)
class Objective:
    """So many percent of all planned requests are answered within `limit_ns`."""

    percent: Fraction
    limit_ns: float

    def __str__(self) -> str:
        size, unit = show.unit_of(self.limit_ns)
        return f"p{float(self.percent):g} ≤ {self.limit_ns / size:g} {unit}"


def objective(text: object) -> Objective:
    """Such as p99=10ms; the default where the text is no objective."""
    found = OBJECTIVE.fullmatch(text) if isinstance(text, str) else None
    found = found or OBJECTIVE.fullmatch(DEFAULT)
    assert found
    percent, limit, unit = found.groups()
    return Objective(Fraction(percent), float(limit) * UNITS_NS[unit])
