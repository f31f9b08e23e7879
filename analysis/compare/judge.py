"""What runs at two times say of each other: which cells are the same, by which factor each figure changed, and what
follows.

Runs differ more from each other than repetitions within them do. So the unit is the run: several on each side can
decide, one on each side can only be described.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from analysis.cells import labels
from analysis.compare.side import FACTORS_COMPARED, Cell, Side, by_key, environments
from analysis.environment import differences
from analysis.findings import some
from analysis.format import fraction
from analysis.metrics import METRICS, Metric
from analysis.model import FACTORS
from analysis.statistics import family, unpaired
from analysis.statistics.verdict import BETTER, NOT_COMPARABLE, WORSE
from analysis.unreadable import Unreadable

SHOWN = ("efficiency", "p99")
SINGLE = "one repetition says nothing of how much repetitions differ"
CANNOT = "cannot be told"


@dataclass(frozen=True)
class Row:
    """One figure of one cell on both sides: of each run, or of each repetition where a side is one run. Without a
    comparison there is `why`, and no estimate."""

    label: str
    metric: Metric
    base: list[float]
    new: list[float]
    verdict: str = NOT_COMPARABLE
    ratio: family.Comparison | None = None  # new ÷ base, as one of all that are shown
    why: str = ""
    is_lost: bool = False  # base could be compared, new cannot


@dataclass(frozen=True)
class Change:
    """A key of the environment that is not the same: the values of each side, in words."""

    role: str
    key: str
    base: str
    new: str


@dataclass(frozen=True)
class Comparison:
    base: Side
    new: Side
    changes: list[Change]
    rows: list[Row]
    missing: list[str]  # labels of the cells that only base has
    added: list[str]  # and only new
    apart: list[str]  # where no cell is on both sides: in which parameters they differ

    @property
    def is_decided(self) -> bool:
        """Whether it is known how much runs differ."""
        return min(len(self.base.runs), len(self.new.runs)) > 1


def judge(base: Side, new: Side, metrics: list[str] | None = None) -> Comparison:
    """Every figure of every cell that both have, as one family of comparisons."""
    both, missing, added = match(base.cells, new.cells)
    names = labelled([pair[0] for pair in both] + missing + added)
    rest = names[len(both) :]
    shown = [METRICS[name] for name in metrics or SHOWN]
    rows = [_pair(label, metric, *cells) for metric in shown for label, cells in zip(names, both, strict=False)]
    found = Comparison(
        base, new, changed(base, new), [], rest[: len(missing)], rest[len(missing) :],
        [] if both else parted(missing, added),
    )  # fmt: skip
    return replace(found, rows=_as_family(rows, found))


def match(base: list[Cell], new: list[Cell]) -> tuple[list[tuple[Cell, Cell]], list[Cell], list[Cell]]:
    """The cells of both by their factors; then those that only one has.

    What the hosts decide tells cells apart only where there would be several of one kind.
    """
    ours, theirs = by_key(base), by_key(new)
    pairs = [(cell, theirs[key]) for key, cell in ours.items() if key in theirs]
    return (
        pairs,
        [cell for key, cell in ours.items() if key not in theirs],
        [cell for key, cell in theirs.items() if key not in ours],
    )


def parted(base: list[Cell], new: list[Cell]) -> list[str]:
    """The parameters of which the two have no value in common, such as `duration (3 and 2)`."""
    found = []
    for name in FACTORS_COMPARED:
        ours, theirs = ({str(cell.factors[name]) for cell in cells} for cells in (base, new))
        if ours and theirs and not ours & theirs:
            found.append(f"{name} ({some(sorted(ours), ', ', 3)} and {some(sorted(theirs), ', ', 3)})")
    return found


def labelled(cells: list[Cell]) -> list[str]:
    """The label of each, by what tells them apart."""
    if not cells:
        return []
    table = pd.DataFrame([cell.factors for cell in cells], columns=list(FACTORS), dtype="object").assign(run="")
    return labels(table)


def changed(base: Side, new: Side) -> list[Change]:
    found = differences(environments(base, new))
    found = found[found["between"] == "runs"]
    changes = []
    for (role, key), rows in found.groupby(["role", "key"], sort=False):
        values = {run: " / ".join(sorted(set(its))) for run, its in rows.groupby("run")["value"]}
        changes.append(Change(str(role), str(key), values["base"], values["new"]))
    return changes


def _pair(label: str, metric: Metric, base: Cell, new: Cell) -> Row:
    ours, theirs = new.values.get(metric.name, []), base.values.get(metric.name, [])
    of_base = base.why.get(metric.name, "") or _unfit(theirs)
    of_new = new.why.get(metric.name, "") or _unfit(ours)
    sides = (("both", of_base),) if of_base == of_new else (("base", of_base), ("new", of_new))
    why = "; ".join(f"{name}: {text}" for name, text in sides if text)
    return Row(label, metric, theirs, ours, why=why, is_lost=bool(of_new and not of_base))


def _unfit(values: list[float]) -> str:
    if not values:
        return "it has no figure"
    if any(map(math.isinf, values)):
        return "the percentile lies among the requests that were never answered"
    if min(values) <= 0:
        return "a figure of 0 has no ratio"
    return SINGLE if len(values) < 2 else ""


def _as_family(rows: list[Row], of: Comparison) -> list[Row]:
    """Those that can be compared share the risk of a false word (Holm)."""
    found = iter(family.compare([unpaired.shift(row.new, row.base) for row in rows if not row.why]))
    return [row if row.why else _judged(row, next(found), of) for row in rows]


def _judged(row: Row, ratio: family.Comparison, of: Comparison) -> Row:
    floor = max(side.floors.get(row.metric.name, 0.0) for side in (of.base, of.new))
    word = ratio.word(of.base.margin, row.metric.higher_is_better, floor)
    return replace(row, verdict=word if of.is_decided else CANNOT, ratio=ratio)


def limit(text: str) -> float:
    """The share of `worse:3%`, which is `worse:0.03`: nothing may be worse by more."""
    word, _, amount = text.partition(":")
    asked = fraction(amount)
    if word != WORSE or not 0 <= asked < 1:
        raise Unreadable(f"--fail-on {text} is not understood: give worse and a share below 100 %, such as worse:3%.")
    return asked


def is_beyond(word: str, low: float, high: float, metric: Metric, asked: float) -> bool:
    """Worse, and its interval leaves out every ratio that is worse by no more than the share: by 3 % is up to 1.03
    where less is better, and down to 1/1.03 where more is."""
    return word == WORSE and (high < 1 / (1 + asked) if metric.higher_is_better else low > 1 + asked)


def may_be_beyond(low: float, high: float, metric: Metric, asked: float) -> bool:
    """Whether the interval holds a ratio that is worse by more than the share."""
    return low < 1 / (1 + asked) if metric.higher_is_better else high > 1 + asked


def status(found: Comparison, asked: float) -> tuple[int, str]:
    """The exit that --fail-on gives, and why: 1 worse, 3 nothing to judge by, 0 neither."""
    share = f"{100 * asked:g} %"
    compared = [(row, row.ratio.within) for row in found.rows if row.ratio]
    beyond = [row for row, its in compared if is_beyond(row.verdict, its.low, its.high, row.metric, asked)]
    if beyond:
        what = some([f"{row.metric.title} of {row.label}" for row in beyond], ", ", 3)
        return 1, f"worse by more than {share}: {what}."
    if not compared:
        return 3, "nothing could be compared, so nothing is known to be no worse."
    if not found.is_decided:
        return 3, "one run a side says nothing of how much runs differ, so nothing is known to be no worse."
    if unfinished := [name for name, side in (("base", found.base), ("new", found.new)) if side.unfinished]:
        return 3, f"not finished: {' and '.join(unfinished)}, so nothing is known to be no worse."
    if found.missing:
        return 3, f"the new run does not have {some(found.missing, ', ', 3)}, so it cannot be judged."
    if lost := [row for row in found.rows if row.is_lost]:
        what = some([f"{row.metric.title} of {row.label} ({row.why})" for row in lost], ", ", 3)
        return 3, f"cannot be judged any more: {what}."
    open_ = sum(may_be_beyond(its.low, its.high, row.metric, asked) for row, its in compared)
    left = f"; {open_} of {len(compared)} could not be told at {share}" if open_ else ""
    return 0, f"nothing is shown to be worse by more than {share}{left}."


def sorted_rows(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows with a difference, worse first; then the others that were compared. Both in the order of the plan."""
    telling = [row for word in (WORSE, BETTER) for row in rows if row.verdict == word]
    return telling, [row for row in rows if row.verdict not in (WORSE, BETTER, NOT_COMPARABLE)]
