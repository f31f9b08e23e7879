"""Whether something got worse within one run, that measured old and new side by side: for a build."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from analysis.cells import by_key
from analysis.compare.judge import is_beyond, may_be_beyond
from analysis.contrasts import contrasts_table
from analysis.findings import some
from analysis.metrics import METRICS, Metric
from analysis.model import Dataset
from analysis.statistics.family import ALPHA
from analysis.unreadable import Unreadable

WORSE, UNDECIDED, NOTHING = 1, 3, 3


@dataclass(frozen=True)
class Row:
    """A cell against its baseline in one metric. The interval is the one that holds beside all that the gate asks."""

    label: str
    baseline: str
    metric: Metric
    ratio: float
    low: float
    high: float
    least: float  # the smallest difference, as a share, that 80 % of such runs find
    verdict: str
    why: str
    is_duet: bool


def rows_of(dataset: Dataset, metrics: list[str], baseline: str | None = None) -> list[Row]:
    """Every comparison of these metrics of one run, A/A left out; all of them share the risk of a false word."""
    if (several := dataset.runs["run"].nunique()) != 1:
        raise Unreadable(f"gate takes one run that holds old and new, not {several}; compare takes several.")
    table = contrasts_table(dataset, baseline, ALPHA / len(metrics))
    table = table[table["metric"].isin(metrics) & ~table["control"].fillna(False).astype(bool)]
    if table.empty:
        raise Unreadable(
            """the run compares nothing: measure old and new in one run, -e '{"server_command": ["OLD", "NEW"]}'."""
        )
    names, is_duet = by_key(dataset.cells), bool(dataset.cells["duet"].any())
    return [
        Row(
            names[row["run"], row["cell"]], names[row["run"], row["baseline"]], METRICS[row["metric"]],
            float(row["ratio"]), float(row["family_low"]), float(row["family_high"]), float(row["least"]),
            str(row["verdict"]), "" if pd.isna(row["why"]) else str(row["why"]), is_duet,
        )
        for name in metrics for row in table[table["metric"] == name].to_dict("records")
    ]  # fmt: skip


def status(rows: list[Row], asked: float, *, fails_undecided: bool, unfinished: str = "") -> tuple[int, str]:
    """The exit, and why: 1 worse by more than asked; 3 what was asked cannot be judged, or with `fails_undecided` does
    not exclude it; else 0."""
    share = f"{100 * asked:g} %"
    if beyond := [row for row in rows if is_beyond(row.verdict, row.low, row.high, row.metric, asked)]:
        return WORSE, f"worse by more than {share}: {_named(beyond)}."
    if unfinished:
        return NOTHING, f"the run is not finished: {unfinished}."
    if lost := [row for row in rows if row.why]:
        whys = some([f"{row.metric.title} of {row.label} ({row.why})" for row in lost], ", ", 3)
        return NOTHING, f"cannot be judged: {whys}."
    open_ = [row for row in rows if may_be_beyond(row.low, row.high, row.metric, asked)]
    if open_:
        least = max(row.least for row in open_)
        found = "none" if math.isinf(least) else f"{100 * least:.2g} %"
        text = (
            f"not excluded that it is worse by more than {share}: {_named(open_)}. The smallest difference that such a "
            f"run finds is {found}: more repetitions find a smaller one."
        )
        return (UNDECIDED if fails_undecided else 0), text
    return 0, f"nothing is worse by more than {share}."


def _named(rows: list[Row]) -> str:
    return some([f"{row.metric.title} of {row.label}" for row in rows], ", ", 3)
