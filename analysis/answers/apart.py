"""Of a claim that asks for it: every two cells of the run that can be told apart, by a margin stated before the run.

All pairs share one risk of a false word. In a duet two rivals were not measured beside each other: what each costs over
the baseline beside it is compared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis.cells import told_apart
from analysis.contrasts import Blocks, Measured, Side, compared, known_to, measured_blocks, pair_of, why_not
from analysis.metrics import METRICS, Metric
from analysis.statistics.interval import median
from analysis.statistics.paired import Estimate


@dataclass(frozen=True)
class Apart:
    """Two cells in words, and the factor from the second to the first with the interval that holds for all pairs."""

    less: str
    more: str
    factor: Estimate


@dataclass(frozen=True)
class Told:
    """What can be told of the pairs of a run: `pairs`, of the `compared`, differ by the margin or more."""

    metric: Metric
    margin: float
    pairs: tuple[Apart, ...]
    compared: int

    @property
    def sentences(self) -> list[str]:
        """For each cell that is told from another, those of which it has less."""
        by_less: dict[str, list[str]] = {}
        for pair in self.pairs:
            by_less.setdefault(pair.less, []).append(pair.more)
        share = f"{100 * self.margin:g} %"
        told = f"{len(self.pairs)} of {self.compared} pairs differ by {share} or more in {self.metric.title}"
        listed = [f"{less} below {' · '.join(more)}" for less, more in by_less.items()]
        return [f"{told}{':' if listed else '.'}", *(f"{line}{'.' if line is listed[-1] else ';'}" for line in listed)]


def told(own: pd.DataFrame, figures: pd.DataFrame, asked: Mapping[str, Any]) -> Told | None:
    """`own`: the cells of the run that may be told of; `figures`: their trials'. None where nothing is asked for."""
    metric, margin = METRICS.get(str(asked.get("metric"))), asked.get("margin")
    if metric is None or not isinstance(margin, (int, float)) or not 0 < margin < 1:
        return None
    rows = {str(row["cell"]): row for row in own.to_dict("records")}
    measured, steps = measured_blocks(figures), known_to(figures)
    pairs = [
        pair for one, other in itertools.combinations(rows, 2)
        if not (pair := pair_of(metric.name, *sides_of(metric, rows[one], rows[other], measured, steps), {})).why
    ]  # fmt: skip
    labels = [str(row["label"]) for row in rows.values()]
    short, _ = told_apart(labels)
    names = dict(zip(rows, (short[label] for label in labels), strict=True))
    middle = {cell: _middle(metric.name, cell, measured) for cell in rows}
    found = []
    for pair, comparison in zip(pairs, compared(pairs), strict=True):
        factor = comparison.strict  # the one that holds whatever else than 1 it is held against
        if factor.high < 1 / (1 + margin):
            found.append((pair.cell, pair.baseline, factor))
        elif factor.low > 1 + margin:
            turned = replace(factor, value=1 / factor.value, low=1 / factor.high, high=1 / factor.low)
            found.append((pair.baseline, pair.cell, turned))
    found.sort(key=lambda one: (middle[one[0]], middle[one[1]]))
    listed = tuple(Apart(names[less], names[more], factor) for less, more, factor in found)
    return Told(metric, float(margin), listed, len(pairs))


def sides_of(
    metric: Metric, one: Mapping[Any, Any], other: Mapping[Any, Any], measured: dict[Measured, Blocks],
    steps: Mapping[tuple[str, str], float],
) -> tuple[Side, Side]:  # fmt: skip
    """Two cells of a run, with what of them is compared."""
    cells = ours, theirs = str(one["cell"]), str(other["cell"])
    keys = ((ours, False, theirs), (theirs, False, ours)) if one.get("duet") else ((c, False, "") for c in cells)
    blocks = [measured.get((metric.name, *key), {}) for key in keys]
    step = [steps.get((metric.name, cell), 0.0) for cell in cells]
    if one.get("duet") and not all(blocks):  # two rivals: each over the baseline that stood beside it
        blocks, step = [_over_its_baseline(metric.name, cell, measured) for cell in cells], [0.0, 0.0]
    why = [why_not(row, metric, is_known=(metric.name, str(row["cell"])) in steps) for row in (one, other)]
    return Side(ours, blocks[0], why[0], step[0]), Side(theirs, blocks[1], why[1], step[1])


def _over_its_baseline(metric: str, cell: str, measured: dict[Measured, Blocks]) -> Blocks:
    found: Blocks = {}
    for (name, own, control, beside), blocks in measured.items():
        if (name, own, control) == (metric, cell, False) and beside:
            theirs = measured.get((metric, beside, False, cell), {})
            found |= {block: value / theirs[block] for block, value in blocks.items() if theirs.get(block)}
    return found


def _middle(metric: str, cell: str, measured: dict[Measured, Blocks]) -> float:
    """The median of all figures of a cell, by which it is listed."""
    values = [
        value for (name, own, control, _), blocks in measured.items()
        if (name, own, control) == (metric, cell, False) for value in blocks.values()
    ]  # fmt: skip
    return median(values) if values else math.inf
