"""The objective of a run, such as p99=10ms."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from analysis import format as show
from contracts.declared import PARAMETERS
from contracts.judge import percentile_and_limit

DEFAULT = str(PARAMETERS["slo"].default)


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
    try:
        percent, limit_ns = percentile_and_limit(str(text))
    except ValueError:
        percent, limit_ns = percentile_and_limit(DEFAULT)
    return Objective(Fraction(percent), limit_ns)
