"""The figures of a report, in the order of its page."""

from __future__ import annotations

from analysis.figures import (
    accept,
    cost,
    effects,
    effects_p99,
    fairness,
    glance,
    heat,
    honesty,
    idle,
    knee,
    memory,
    ramp,
    spectrum,
)
from analysis.figures.base import Figure
from analysis.model import Dataset

FIGURES = (
    glance,
    spectrum,
    knee,
    idle,
    ramp,
    cost,
    memory,
    heat,
    effects,
    effects_p99,
    accept,
    fairness,
    honesty,
)


def make_all(dataset: Dataset) -> list[Figure]:
    """Those for which the runs have data."""
    return [figure for module in FIGURES if (figure := module.make(dataset)) is not None]
