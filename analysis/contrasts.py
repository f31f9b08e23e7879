"""Each cell against its baseline, block by block, and the noise floor that the control sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import INCIDENTAL, natural
from analysis.estimates import COUNTS_AT_A_LIMIT, barred_trials, figures_of_trials, resolution
from analysis.metrics import METRICS, Metric
from analysis.model import FACTORS, Dataset, frame
from analysis.statistics.family import Comparison, compare
from analysis.statistics.interval import median
from analysis.statistics.paired import SIGNED_RANK_FROM
from analysis.statistics.verdict import BETTER, INCONCLUSIVE, NOT_COMPARABLE, WORSE, verdict
from analysis.unreadable import Unreadable
from contracts.declared import PARAMETERS

LEAST_MARGIN = 0.03
CONTROL_FROM = 3  # blocks: with fewer the noise floor is itself only noise
COMPARED_FROM = 2  # blocks
CONTENDER = ("strategy", "server_command")
# Of one contender the first of these that varies is compared: its default, else its first level, is the baseline.
LEVELS = ("hostile", "generator", "backlog", "accept_batch")

# Per block the figure of a cell, of one metric.
Blocks = dict[int, float]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the blocks in which it is good, why there is no comparing it (empty: there is), and
    what its figures are known to, in their unit."""

    cell: str
    blocks: Blocks
    why: str = ""
    step: float = 0.0


def contrasts_table(dataset: Dataset, baseline: str | None = None) -> pd.DataFrame:
    """One row per run, metric and cell that has a counterpart in the baseline strategy; and, where there is a control,
    one of the baseline's cell against itself: the A/A contrast.

    `baseline` names a strategy; by default it is the one that has the control, else the first of the plan.
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
        ours = figures[figures["run"] == run]
        controlled = dataset.trials[(dataset.trials["run"] == run) & dataset.trials["control"].fillna(False)]["cell"]
        pairs = pairs_of(members, set(controlled), baseline)
        for metric in METRICS.values():
            found = _of_metric(metric, members, ours[ours["metric"] == metric.name], pairs)
            rows += [{"run": run, "metric": metric.name} | row for row in found]
    return frame("contrasts", rows)


def pairs_of(cells: pd.DataFrame, controlled: set[str], baseline: str | None) -> dict[str, str]:
    """For each cell of one run that is compared the one that it is compared with."""
    factor = compared_by(cells)
    if factor == "strategy" or baseline is not None:
        return counterparts(cells, baseline_cells(cells, controlled, baseline))
    return counterparts(cells, baseline_level(cells, factor), (factor,))


def compared_by(cells: pd.DataFrame) -> str:
    """The factor whose levels a run compares: strategy (own servers by their commands), or of one the first of LEVELS
    that varies."""
    rows = cells.to_dict("records")
    if len({_values(row, CONTENDER) for row in rows}) > 1:
        return "strategy"
    return next((name for name in LEVELS if len({_values(row, (name,)) for row in rows}) > 1), "strategy")


def baseline_level(cells: pd.DataFrame, factor: str) -> pd.DataFrame:
    """The cells of the factor's default; where no cell has it, of the level that comes first in the plan."""
    rows = cells.to_dict("records")
    default = _values({factor: PARAMETERS[factor].default}, (factor,))
    levels = [_values(row, (factor,)) for row in rows]
    if default not in levels:
        default = _values(min(rows, key=lambda row: natural(row["cell"])), (factor,))
    return cells[np.array([level == default for level in levels], dtype=bool)]


def baseline_cells(cells: pd.DataFrame, controlled: set[str], baseline: str | None) -> pd.DataFrame:
    """The cells of one run to compare with: of the strategy asked for, else of the one that has the control, else of
    the first of the plan. Own servers are told apart by their commands."""
    if baseline is not None:
        return cells[cells["strategy"] == baseline]
    chosen = cells[cells["cell"].isin(controlled)]
    first = min(chosen.to_dict("records") or cells.to_dict("records"), key=lambda row: natural(row["cell"]))
    same = [_values(row, CONTENDER) == _values(first, CONTENDER) for row in cells.to_dict("records")]
    return cells[np.array(same, dtype=bool)]


def counterparts(cells: pd.DataFrame, baseline: pd.DataFrame, apart: Sequence[str] = ("strategy",)) -> dict[str, str]:
    """For each cell that is not of the baseline the one of the baseline that is the same but for what sets them apart.

    What is set for each strategy by itself (ports, workers) decides only between several that are the same otherwise.
    """
    others = [name for name in FACTORS if name not in (*INCIDENTAL, *apart)]
    incidental = [name for name in INCIDENTAL if name != "server_command"]
    like: dict[tuple[str, ...], list[dict[Any, Any]]] = {}
    for row in baseline.to_dict("records"):
        like.setdefault(_values(row, others), []).append(row)
    found = {}
    own = set(baseline["cell"])
    for row in cells.to_dict("records"):
        candidates = like.get(_values(row, others), [])
        if row["cell"] in own or not candidates:
            continue
        ours = _values(row, incidental)
        nearest = max(
            candidates, key=lambda one: sum(a == b for a, b in zip(ours, _values(one, incidental), strict=True))
        )
        found[row["cell"]] = nearest["cell"]
    return found


def _values(row: dict[Any, Any], names: Sequence[str]) -> tuple[str, ...]:
    return tuple("" if pd.isna(row[name]) else str(row[name]) for name in names)


def _of_metric(
    metric: Metric, cells: pd.DataFrame, figures: pd.DataFrame, pairs: dict[str, str]
) -> list[dict[str, Any]]:
    """The A/A contrasts, then those of the family."""
    blocks: dict[tuple[str, bool], Blocks] = {}
    for cell, control, block, value in zip(
        figures["cell"], figures["control"], figures["block"], figures["value"], strict=True
    ):
        blocks.setdefault((cell, control), {}).setdefault(int(block), float(value))
    sides = {}
    for told in cells.to_dict("records"):
        own = blocks.get((told["cell"], False), {})
        members = figures[(figures["cell"] == told["cell"]) & ~figures["control"]]
        step = resolution(metric, members, float(members["value"].median())) if own else 0.0
        sides[told["cell"]] = Side(told["cell"], own, why_not(told, metric, is_known=bool(own)), step)
    twins = {cell: Side(cell, its) for (cell, control), its in blocks.items() if control and cell in sides}
    floors: dict[str, float] = {}
    rows = []
    for cell, twin in twins.items():
        row, floors[cell] = _control(metric, twin, sides[cell])
        rows.append(row)
    together = [(sides[cell], sides[base]) for cell, base in pairs.items()]
    return rows + _family(metric, together, floors)


def why_not(row: dict[Any, Any], metric: Metric, *, is_known: bool) -> str:
    """Why a row of `cells` has nothing to compare of this metric; empty: it has."""
    if row["struck"] and row["good"]:
        return "a finding makes it invalid"
    if row["outcome"] == "dnf" and metric.name not in COUNTS_AT_A_LIMIT:
        return "it met a limit" + ("" if pd.isna(row["limit"]) else f" ({row['limit']})")
    if not row["good"]:
        return f"no trial is good: {row['outcome']}"
    if metric.is_cost and row.get("is_barred") and not is_known:
        return "the load was not sustained, or its replies are not those that the server counts"
    return "" if is_known else f"{metric.title} is not known of it"


def _control(metric: Metric, twin: Side, side: Side) -> tuple[dict[str, Any], float]:
    """The A/A contrast, and the noise floor as a share: half of its interval; of fewer blocks than give one without
    assuming a law, by how much the two differed at most. nan where it rests on too little."""
    ours, theirs, why = _common(twin, side)
    if why:
        return _unjudged(side, side, len(ours), math.nan, why), math.nan
    found = compare([(ours, theirs)])[0]
    if len(ours) < CONTROL_FROM:
        floor = math.nan
    elif len(ours) < SIGNED_RANK_FROM:
        floor = max(max(a / b, b / a) for a, b in zip(ours, theirs, strict=True)) - 1
    else:
        floor = math.sqrt(found.single.high / found.single.low) - 1
    return _judged(metric, side, side, len(ours), floor, found), floor


def _family(metric: Metric, together: list[tuple[Side, Side]], floors: dict[str, float]) -> list[dict[str, Any]]:
    """Every comparison of one metric of a run: those that can be made share the risk of a false word."""
    common = [_common(side, base) for side, base in together]
    # Of a baseline without a control of its own: what two measurements of one thing differ by elsewhere in the run.
    widest = max((floor for floor in floors.values() if not math.isnan(floor)), default=math.nan)
    found = iter(compare([(ours, theirs) for ours, theirs, why in common if not why]))
    rows = []
    for (side, base), (ours, theirs, why) in zip(together, common, strict=True):
        floor, n = floors.get(base.cell, widest), len(ours)
        if why:
            rows.append(_unjudged(side, base, n, floor, why))
            continue
        row = _judged(metric, side, base, n, floor, next(found))
        if row["verdict"] in (BETTER, WORSE) and abs(median(ours) - median(theirs)) <= max(side.step, base.step):
            row |= {"verdict": INCONCLUSIVE, "why": "the two differ by less than what is measured"}
        rows.append(row)
    return rows


def _common(side: Side, base: Side) -> tuple[list[float], list[float], str]:
    """The figures of both in the blocks that both have, and why they cannot be compared."""
    both = sorted(set(side.blocks) & set(base.blocks))
    ours, theirs = [side.blocks[block] for block in both], [base.blocks[block] for block in both]
    if side.why or base.why:
        return ours, theirs, side.why or f"its baseline: {base.why}"
    if not both:
        return ours, theirs, "no block has both"
    if any(map(math.isinf, [*ours, *theirs])):
        return ours, theirs, "the percentile lies among the requests that were never answered"
    if min(*ours, *theirs) <= 0:
        return ours, theirs, "a figure of 0 has no ratio"
    if len(both) < COMPARED_FROM:
        return ours, theirs, "one block says nothing of how much blocks differ"
    return ours, theirs, ""


def _unjudged(side: Side, base: Side, n: int, floor: float, why: str) -> dict[str, Any]:
    margin = LEAST_MARGIN if math.isnan(floor) else max(LEAST_MARGIN, floor)
    common = {"cell": side.cell, "baseline": base.cell, "n": n, "margin": margin, "noise_floor": floor}
    return common | {"verdict": NOT_COMPARABLE, "why": why}


def _judged(metric: Metric, side: Side, base: Side, n: int, floor: float, found: Comparison) -> dict[str, Any]:
    row, single, within = _unjudged(side, base, n, floor, ""), found.single, found.within
    return row | {
        "ratio": single.value, "low": single.low, "high": single.high, "confidence": single.confidence,
        "family_low": within.low, "family_high": within.high, "family_confidence": within.confidence,
        "p": found.p, "p_holm": found.p_holm, "method": single.method, "why": None,
        "verdict": verdict(within.low, within.high, row["margin"], metric.higher_is_better),
    }  # fmt: skip
