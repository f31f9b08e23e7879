"""Each cell against its baseline and the control of that, block by block; and the control against the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd

from analysis.duet import ONLY_COSTS, put_beside
from analysis.estimates import COUNTS_AT_A_LIMIT, barred_trials, figures_of_trials, resolution
from analysis.metrics import METRICS, Metric
from analysis.model import Dataset, frame
from analysis.pairing import baseline_cells, pairs_of
from analysis.statistics import moderated
from analysis.statistics.family import ALPHA, Comparison, compare, strictest
from analysis.statistics.interval import median
from analysis.statistics.paired import SIGNED_RANK_FROM, Shift
from analysis.statistics.verdict import BETTER, INCONCLUSIVE, NOT_COMPARABLE, WORSE
from analysis.unreadable import Unreadable
from contracts.declared import PARAMETERS

MARGIN: float = PARAMETERS["margin"].default  # of a run from before it was stated
CONTROL_FROM = 3  # blocks: with fewer the noise floor is itself only noise
COMPARED_FROM = 2  # blocks
# Per block the figure of a cell, of one metric.
Blocks = dict[int, float]
Measured = tuple[str, str, bool, str]  # metric, cell, control, and of a duet the cell beside


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the blocks in which it is good, why there is no comparing it (empty: there is), and
    what its figures are known to, in their unit."""

    cell: str
    blocks: Blocks
    why: str = ""
    step: float = 0.0


@dataclass(frozen=True)
class Pair:
    """A cell and its baseline in the blocks that both have: logarithms, of the baseline with the control's where it has
    all of these blocks. `why`: why they cannot be compared; empty: they can."""

    metric: str
    cell: str
    baseline: str
    blocks: tuple[int, ...]
    ours: list[float]
    theirs: list[list[float]]
    why: str = ""
    is_resolved: bool = True  # the two differ by more than their figures are known to


@dataclass(frozen=True)
class Again:
    """A/A: the control of a cell over the cell itself, and the noise floor, as a share; nan: it rests on too little."""

    pair: Pair
    found: Comparison | None
    floor: float


def contrasts_table(dataset: Dataset, baseline: str | None = None, alpha: float = ALPHA) -> pd.DataFrame:
    """One row per run, metric and cell that has a counterpart in the baseline strategy; and, where there is a control,
    one of the baseline's cell against itself: the A/A contrast.

    `baseline` names a strategy; by default it is the one that has the control, else the first of the plan. `alpha` is
    the risk of a false word among the comparisons of one metric.
    """
    cells = dataset.cells
    if cells.empty:
        return frame("contrasts", ())
    if baseline is not None and baseline not in set(cells["strategy"]):
        names = ", ".join(sorted(set(cells["strategy"])))
        raise Unreadable(f"no run has the strategy {baseline} to compare with; there is {names}.")
    figures = figures_of_trials(dataset)
    figures = figures[figures["value"].notna()]
    barred = barred_trials(dataset.findings)
    is_barred = [key in barred for key in zip(dataset.trials["run"], dataset.trials["trial"], strict=True)]
    barred_cells = set(dataset.trials.loc[is_barred, ["run", "cell"]].itertuples(index=False, name=None))
    cells = cells.assign(is_barred=[key in barred_cells for key in zip(cells["run"], cells["cell"], strict=True)])
    rows: list[dict[str, Any]] = []
    for run, members in cells.groupby("run", sort=False):
        trials = dataset.trials[dataset.trials["run"] == run]
        controlled = set(trials.loc[trials["control"].fillna(False), "cell"])
        pairs = pairs_of(members, controlled, baseline)
        if baseline is None:
            rivals = set(members["cell"]) - set(baseline_cells(members, controlled, None)["cell"])
            pairs |= put_beside(trials, rivals)
        margin = stated_margin(dataset, str(run))
        ours = figures[figures["run"] == run]
        measured, steps = measured_blocks(ours), known_to(ours)
        again = controls(measured, steps)
        told = members.to_dict("records")
        for metric in METRICS.values():
            found = decided(metric, told, steps, measured, pairs, again, margin, alpha)
            rows += [{"run": run, "metric": metric.name, "margin": margin} | row for row in found]
    return frame("contrasts", rows)


def stated_margin(dataset: Dataset, run: str) -> float:
    """What counts as equal, as a share: as the run stated it before it began."""
    told = dataset.runs.loc[dataset.runs["run"] == run, "margin"].dropna()
    return float(told.iloc[0]) if len(told) and 0 < told.iloc[0] <= (PARAMETERS["margin"].high or 0) else MARGIN


def measured_blocks(figures: pd.DataFrame) -> dict[Measured, Blocks]:
    """Of each cell of one run and its control the figures by block, of those that `figures_of_trials` gives and are
    known; of a duet those that were measured beside each other cell."""
    found: dict[Measured, Blocks] = {}
    columns = (figures[name] for name in ("metric", "cell", "control", "beside", "block", "value"))
    for *key, block, value in zip(*columns, strict=True):
        found.setdefault(cast(Measured, tuple(key)), {})[int(block)] = float(value)
    return found


def known_to(figures: pd.DataFrame) -> dict[tuple[str, str], float]:
    """By metric and cell of one run what its figure is known to, in its unit."""
    return {
        (str(name), str(cell)): resolution(METRICS[str(name)], members, float(members["value"].median()))
        for (name, cell), members in figures[~figures["control"]].groupby(["metric", "cell"], sort=False)
    }


def controls(measured: dict[Measured, Blocks], steps: dict[tuple[str, str], float]) -> dict[tuple[str, str], Again]:
    """By metric and cell each control against its own cell. All of a run share the risk of a false word."""
    pairs = {}
    for (metric, cell, control, beside), its in measured.items():
        if control:
            step, why = steps.get((metric, cell), 0.0), "" if METRICS[metric].is_cost or not beside else ONLY_COSTS
            base = Side(cell, measured.get((metric, cell, False, beside), {}), step=step)
            pairs[metric, cell] = pair_of(metric, Side(cell, its, why, step), base, {})
    found = iter(compared([pair for pair in pairs.values() if not pair.why]))
    again = {}
    for key, pair in pairs.items():
        one = None if pair.why else next(found)
        again[key] = Again(pair, one, math.nan if one is None else _floor(pair, one))
    return again


def _floor(pair: Pair, found: Comparison) -> float:
    """Half of the A/A interval; of fewer blocks than give one without assuming a law, by how much the two differed at
    most."""
    if len(pair.blocks) < CONTROL_FROM:
        return math.nan
    if len(pair.blocks) < SIGNED_RANK_FROM:
        return math.expm1(max(abs(a - b) for a, b in zip(pair.ours, pair.theirs[0], strict=True)))
    return math.sqrt(found.single.high / found.single.low) - 1


Row = tuple[Pair, float, Comparison | None]  # with the noise floor


def decided(
    metric: Metric, cells: Sequence[Mapping[Any, Any]], steps: Mapping[tuple[str, str], float],
    measured: dict[Measured, Blocks], pairs: dict[str, str], again: dict[tuple[str, str], Again], margin: float,
    alpha: float = ALPHA,
) -> list[dict[str, Any]]:  # fmt: skip
    """The rows of one run and metric: the A/A contrasts, then those of the family: those that can be made share the
    risk of a false word. `cells`: the run's rows of that table."""
    known = {cell for name, cell, control, _ in measured if name == metric.name and not control}
    sides, duets = {}, set()
    for told in cells:
        cell = told["cell"]
        sides[cell] = Side(cell, {}, why_not(told, metric, is_known=cell in known), steps.get((metric.name, cell), 0.0))
        duets |= {cell} if told.get("duet") else set()
    twins = {
        cell: one
        if (why := sides[cell].why) in ("", ONLY_COSTS)
        else Again(replace(one.pair, why=f"its baseline: {why}"), None, math.nan)
        for (name, cell), one in again.items()
        if name == metric.name and cell in sides
    }
    together = []
    for cell, base in pairs.items():
        beside = (base, cell) if cell in duets else ("", "")  # each its blocks with the other, and with nobody else
        ours, theirs = (
            replace(sides[own], blocks=measured.get((metric.name, own, False, other), {}))
            for own, other in zip((cell, base), beside, strict=True)
        )
        pair = pair_of(metric.name, ours, theirs, measured.get((metric.name, base, True, ""), {}))
        is_apart = cell in duets and not (pair.blocks or ours.why or theirs.why)
        together.append(replace(pair, why="the two did not run side by side to their end") if is_apart else pair)
    # Of a baseline without a control of its own: what two measurements of one thing differ by elsewhere in the run.
    widest = max((one.floor for one in twins.values() if not math.isnan(one.floor)), default=math.nan)
    found = iter(compared([pair for pair in together if not pair.why], alpha))
    rows: list[Row] = [(one.pair, one.floor, one.found) for one in twins.values()]
    for pair in together:
        floor = twins[pair.baseline].floor if pair.baseline in twins else widest
        rows.append((pair, floor, None if pair.why else next(found)))
    return _words(rows, metric, margin)


def why_not(row: Mapping[Any, Any], metric: Metric, *, is_known: bool) -> str:
    """Why a row of `cells` has nothing to compare of this metric; empty: it has."""
    if row.get("duet") and not metric.is_cost:
        return ONLY_COSTS
    if row["struck"] and row["good"]:
        return "a finding makes it invalid"
    if row["outcome"] == "dnf" and metric.name not in COUNTS_AT_A_LIMIT:
        return "it met a limit" + ("" if pd.isna(row["limit"]) else f" ({row['limit']})")
    if not row["good"]:
        return f"no trial is good: {row['outcome']}"
    if metric.is_cost and row.get("is_barred") and not is_known:
        return "the load was not sustained, or its replies are not those that the server counts"
    return "" if is_known else f"{metric.title} is not known of it"


def pair_of(metric: str, side: Side, base: Side, control: Blocks) -> Pair:
    both = tuple(sorted(set(side.blocks) & set(base.blocks)))
    why = _unfit(side, base, both)
    if why:
        return Pair(metric, side.cell, base.cell, both, [], [], why)
    with_control = [control] if all(control.get(block, 0) > 0 for block in both) else []
    if any(math.isinf(its[block]) for its in with_control for block in both):
        with_control = []
    theirs = [[math.log(its[block]) for block in both] for its in (base.blocks, *with_control)]
    middles = (median([its.blocks[block] for block in both]) for its in (side, base))
    is_resolved = abs(next(middles) - next(middles)) > max(side.step, base.step)
    ours = [math.log(side.blocks[block]) for block in both]
    return Pair(metric, side.cell, base.cell, both, ours, theirs, "", is_resolved)


def _unfit(side: Side, base: Side, both: Sequence[int]) -> str:
    """Why the two cannot be compared in the blocks that both have; empty: they can."""
    if side.why or base.why:
        return side.why or f"its baseline: {base.why}"
    if not both:
        return "no block has both"
    figures = [its.blocks[block] for its in (side, base) for block in both]
    if any(map(math.isinf, figures)):
        return "the percentile lies among the requests that were never answered"
    if min(figures) <= 0:
        return "a figure of 0 has no ratio"
    return "one block says nothing of how much blocks differ" if len(both) < COMPARED_FROM else ""


def compared(family: Sequence[Pair], alpha: float = ALPHA) -> list[Comparison]:
    """Those with the same figures of one baseline are of one load, and say of each other how much they spread. In a
    duet each has figures of its own."""
    highest = strictest(len(family), alpha)
    alike: dict[tuple[Any, ...], list[int]] = {}
    for place, pair in enumerate(family):
        alike.setdefault((pair.metric, pair.baseline, pair.blocks, *map(tuple, pair.theirs)), []).append(place)
    shifts: dict[int, Shift] = {}
    for places in alike.values():
        ours, theirs = [family[place].ours for place in places], family[places[0]].theirs
        shifts |= zip(places, moderated.shifts(ours, theirs, highest), strict=True)
    return compare([shifts[place] for place in range(len(family))], alpha)


def _words(rows: list[Row], metric: Metric, margin: float) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for pair, floor, found in rows:
        row = {
            "control": pair.cell == pair.baseline,
            "cell": pair.cell,
            "baseline": pair.baseline,
            "n": len(pair.blocks),
            "noise_floor": floor,
        }
        if found is None:
            made.append(row | {"verdict": NOT_COMPARABLE, "why": pair.why})
            continue
        single, within = found.single, found.within
        # What the control itself measured does not excuse it.
        word, why = word_of(pair, found, metric, margin, 0.0 if row["control"] else _known(floor))
        made.append(row | {
            "ratio": single.value, "low": single.low, "high": single.high, "confidence": single.confidence,
            "family_low": within.low, "family_high": within.high, "family_confidence": within.confidence,
            # A difference within the noise floor is never called one, however narrow its interval.
            "p": found.p, "p_holm": found.p_holm, "least": max(found.least, _known(floor)), "method": single.method,
            "verdict": word, "why": why,
        })  # fmt: skip
    return made


def _known(floor: float) -> float:
    return 0.0 if math.isnan(floor) else floor


def word_of(pair: Pair, found: Comparison, metric: Metric, margin: float, floor: float) -> tuple[str, str | None]:
    """The word for a comparison, and why it is not the one that its interval has."""
    word = found.word(margin, metric.higher_is_better, floor)
    if word in (BETTER, WORSE) and not pair.is_resolved:
        return INCONCLUSIVE, "the two differ by less than what is measured"
    return word, None
