"""What two runs say of each other: which cells are the same, by which factor each figure changed, and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from analysis.cells import INCIDENTAL, labels
from analysis.compare.side import Cell, Factor, Side, environments
from analysis.contrasts import LEAST_MARGIN
from analysis.environment import differences
from analysis.findings import some
from analysis.format import fraction
from analysis.metrics import METRICS, Metric
from analysis.model import FACTORS
from analysis.statistics import family, unpaired
from analysis.statistics.verdict import BETTER, INCONCLUSIVE, NOT_COMPARABLE, WORSE, verdict
from analysis.unreadable import Unreadable

SHOWN = ("efficiency", "p99")
# Set for each strategy by itself, from what the hosts are: the environment tells of it.
OF_THE_HOSTS = tuple(name for name in INCIDENTAL if name != "server_command")
SINGLE = "one repetition says nothing of how much repetitions differ"
Key = tuple[Factor, ...]


@dataclass(frozen=True)
class Row:
    """One figure of one cell in both runs. Without a comparison there is `why`, and no estimate."""

    label: str
    metric: Metric
    base: list[float]
    new: list[float]
    margin: float
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


def judge(base: Side, new: Side, metrics: list[str] | None = None) -> Comparison:
    """Every figure of every cell that both have, as one family of comparisons."""
    both, missing, added = match(base.cells, new.cells)
    names = labelled([pair[0] for pair in both] + missing + added)
    rest = names[len(both) :]
    shown = [METRICS[name] for name in metrics or SHOWN]
    rows = [
        _pair(label, metric, *cells, margin(metric.name, base, new))
        for metric in shown
        for label, cells in zip(names, both, strict=False)
    ]
    changes = changed(base, new)
    return Comparison(base, new, changes, _as_family(rows), rest[: len(missing)], rest[len(missing) :])


def match(base: list[Cell], new: list[Cell]) -> tuple[list[tuple[Cell, Cell]], list[Cell], list[Cell]]:
    """The cells of both by their factors; then those that only one has.

    What the hosts decide tells cells apart only where there would be several of one kind.
    """
    sides = [_by_key(cells, FACTORS_COMPARED) for cells in (base, new)]
    pairs: list[tuple[Cell, Cell]] = []
    for key in sides[0]:
        ours, theirs = (its.get(key, []) for its in sides)
        if len(ours) == len(theirs) == 1:
            pairs.append((ours[0], theirs[0]))
            continue
        again = [_by_key(cells, OF_THE_HOSTS) for cells in (ours, theirs)]
        pairs += [(its[0], again[1][one][0]) for one, its in again[0].items() if one in again[1]]
    taken = {id(cell) for pair in pairs for cell in pair}
    left = [[cell for cell in cells if id(cell) not in taken] for cells in (base, new)]
    return pairs, left[0], left[1]


FACTORS_COMPARED = tuple(name for name in FACTORS if name not in OF_THE_HOSTS)


def _by_key(cells: list[Cell], names: tuple[str, ...]) -> dict[Key, list[Cell]]:
    found: dict[Key, list[Cell]] = {}
    for cell in cells:
        found.setdefault(tuple(cell.factors[name] for name in names), []).append(cell)
    return found


def labelled(cells: list[Cell]) -> list[str]:
    """The label of each, by what tells them apart."""
    if not cells:
        return []
    table = pd.DataFrame([cell.factors for cell in cells], columns=list(FACTORS), dtype="object").assign(run="")
    return labels(table)


def margin(metric: str, base: Side, new: Side) -> float:
    """What counts as equal, as a share: the wider of the noise floors of both runs, at least 3 %."""
    return max(LEAST_MARGIN, *(side.floors.get(metric, 0.0) for side in (base, new)))


def changed(base: Side, new: Side) -> list[Change]:
    found = differences(environments(base, new))
    found = found[found["between"] == "runs"]
    changes = []
    for (role, key), rows in found.groupby(["role", "key"], sort=False):
        values = {run: " / ".join(sorted(set(its))) for run, its in rows.groupby("run")["value"]}
        changes.append(Change(str(role), str(key), values["base"], values["new"]))
    return changes


def _pair(label: str, metric: Metric, base: Cell, new: Cell, share: float) -> Row:
    ours, theirs = new.values.get(metric.name, []), base.values.get(metric.name, [])
    of_base = base.why.get(metric.name, "") or _unfit(theirs)
    of_new = new.why.get(metric.name, "") or _unfit(ours)
    sides = (("both", of_base),) if of_base == of_new else (("base", of_base), ("new", of_new))
    why = "; ".join(f"{name}: {text}" for name, text in sides if text)
    return Row(label, metric, theirs, ours, share, why=why, is_lost=bool(of_new and not of_base))


def _unfit(values: list[float]) -> str:
    if not values:
        return "it has no figure"
    if any(map(math.isinf, values)):
        return "the percentile lies among the requests that were never answered"
    if min(values) <= 0:
        return "a figure of 0 has no ratio"
    return SINGLE if len(values) < 2 else ""


def _as_family(rows: list[Row]) -> list[Row]:
    """Those that can be compared share the risk of a false word (Holm)."""
    pairs = [(row.new, row.base) for row in rows if not row.why]
    found = iter(family.compare(pairs, ratio=unpaired.shift, p_value=unpaired.p_value))
    return [row if row.why else _judged(row, next(found)) for row in rows]


def _judged(row: Row, ratio: family.Comparison) -> Row:
    word = verdict(ratio.within.low, ratio.within.high, row.margin, row.metric.higher_is_better)
    return replace(row, verdict=word, ratio=ratio)


def limit(text: str) -> float:
    """The share of `worse:3%`, which is `worse:0.03`: nothing may be worse by more."""
    word, _, amount = text.partition(":")
    asked = fraction(amount)
    if word != WORSE or not 0 <= asked < 1:
        raise Unreadable(f"--fail-on {text} is not understood: give worse and a share below 100 %, such as worse:3%.")
    return asked


def is_beyond(row: Row, asked: float) -> bool:
    """Worse, and its interval leaves out every ratio that is worse by no more than the share: by 3 % is up to 1.03
    where less is better, and down to 1/1.03 where more is."""
    if row.verdict != WORSE or row.ratio is None:
        return False
    within = row.ratio.within
    return within.high < 1 / (1 + asked) if row.metric.higher_is_better else within.low > 1 + asked


def status(found: Comparison, asked: float) -> tuple[int, str]:
    """The exit that --fail-on gives, and why: 1 worse, 3 nothing to judge by, 0 neither."""
    share = f"{100 * asked:g} %"
    if beyond := [row for row in found.rows if is_beyond(row, asked)]:
        return (
            1,
            f"worse by more than {share}: {some([f'{row.metric.title} of {row.label}' for row in beyond], ', ', 3)}.",
        )
    compared = [row for row in found.rows if row.ratio]
    if not compared:
        return 3, "nothing could be compared, so nothing is known to be no worse."
    if found.missing:
        return 3, f"the new run does not have {some(found.missing, ', ', 3)}, so it cannot be judged."
    if lost := [row for row in found.rows if row.is_lost]:
        what = some([f"{row.metric.title} of {row.label} ({row.why})" for row in lost], ", ", 3)
        return 3, f"cannot be judged any more: {what}."
    left = f"{sum(row.verdict == INCONCLUSIVE for row in compared)} of {len(compared)} comparisons are inconclusive"
    return 0, f"nothing is shown to be worse by more than {share}; {left}."


def sorted_rows(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows with a difference, worse first; then the others that were compared. Both in the order of the plan."""
    telling = [row for word in (WORSE, BETTER) for row in rows if row.verdict == word]
    return telling, [row for row in rows if row.verdict not in (WORSE, BETTER, NOT_COMPARABLE)]
