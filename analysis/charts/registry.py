"""The charts of a report, in the order of its page. Another chart is a module and a line here."""

from __future__ import annotations

from analysis.charts import (
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
from analysis.charts.base import Chart, Module
from analysis.model import Dataset

CHARTS: tuple[Module, ...] = (
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


def make(module: Module, dataset: Dataset) -> Chart | None:
    """The chart; None where the runs have no data for it."""
    frame = module.data(dataset)
    if frame.empty:
        return None
    draw = getattr(module, "draw", None)
    shown = frame[[name for name in frame.columns if not name.startswith("_")]]
    return Chart(module.NAME, module.TITLE, module.caption(frame), module.READ, shown, draw(frame) if draw else None)


def make_all(dataset: Dataset) -> list[Chart]:
    """Those for which the runs have data."""
    return [chart for module in CHARTS if (chart := make(module, dataset)) is not None]
