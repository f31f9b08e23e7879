"""The objective of a run, such as p99=10ms, and which cells kept it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.answers import series
from analysis.answers.doubt import doubts
from analysis.estimates import invalid_trials
from analysis.model import Dataset
from contracts.declared import PARAMETERS
from contracts.judge import percentile_and_limit

COLUMNS = {Fraction(50): "response_p50_ns", Fraction(99): "response_p99_ns", Fraction("99.9"): "response_p99_9_ns"}
CLIENTS = "response_p99_ns"
"""The one that is known of each client too."""
DEFAULT = str(PARAMETERS["slo"].default)
SPEAKS_FOR = ((Fraction(50), "p50"), (Fraction(99), "p99"), (Fraction(100), "p99_9"))


@dataclass(frozen=True)
class Objective:
    """So many percent of all planned requests are answered within `limit_ns`."""

    percent: Fraction
    limit_ns: float

    @property
    def metric(self) -> str:
        """That whose doubts are the objective's: of the next percentile that has one, beyond them of the last."""
        return next(name for percent, name in SPEAKS_FOR if self.percent <= percent)

    def __str__(self) -> str:
        size, unit = show.unit_of(self.limit_ns)
        return f"p{float(self.percent):.12g} ≤ {self.limit_ns / size:.12g} {unit}"


def objective(text: object) -> Objective:
    """Such as p99=10ms; the default where the text is no objective."""
    try:
        percent, limit_ns = percentile_and_limit(str(text))
    except ValueError:
        percent, limit_ns = percentile_and_limit(DEFAULT)
    return Objective(Fraction(percent), limit_ns)


DISAGREE = "GN7"
"""The check by which one client sees another server than the rest: no reason to doubt that an objective was met which
each of them alone saw met."""


LENGTHEN = frozenset(("GN3", "NW1", "SV4", "SV5"))
"""Checks of what can only have made responses longer, which count from the intended time: requests sent late, segments
lost, CPUs taken from the server. No reason to doubt that an objective was met all the same."""


def bars(dataset: Dataset, run: str, cell: str, goal: Objective) -> tuple[str, ...]:
    """What forbids to say whether a cell kept the objective."""
    found = doubts(dataset).get((run, cell, goal.metric), ())
    column = COLUMNS.get(goal.percent)
    if not found or column is None:
        return found
    trials = dataset.trials[(dataset.trials["run"] == run) & (dataset.trials["cell"] == cell)]
    clients = dataset.generators[(dataset.generators["run"] == run) & dataset.generators["trial"].isin(trials["trial"])]
    settled = set(LENGTHEN) if _all_within(trials[column], goal) else set()
    settled |= {DISAGREE} if column == CLIENTS and _all_within(clients[CLIENTS], goal) else set()
    return tuple(check for check in found if check not in settled)


def _all_within(responses_ns: pd.Series, goal: Objective) -> bool:
    return len(responses_ns) > 0 and bool((responses_ns.astype(float) <= goal.limit_ns).all())


@dataclass(frozen=True)
class Kept:
    """Of `of` repetitions whose percentile is known `met` kept the objective; `doubt`: what forbids a claim on it."""

    goal: Objective
    met: int
    of: int
    doubt: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.met in (0, self.of):
            return "met" if self.met else "missed"
        return f"met in {self.met} of {self.of}"

    @property
    def is_missed(self) -> bool:
        return self.met < self.of


def kept(dataset: Dataset) -> dict[tuple[str, str], Kept]:
    """By (run, cell), over the repetitions that count; none for a cell whose percentile is not known, or that is one of
    a duet: each makes the other wait."""
    goals = {str(row["run"]): objective(row["slo"]) for row in dataset.runs.to_dict("records")}
    trials = series.good_trials(dataset)
    trials = trials[trials["beside"].isna()]
    invalid = invalid_trials(dataset.findings)
    found: dict[tuple[str, str], Kept] = {}
    for (run, cell), members in trials.groupby(["run", "cell"], sort=False):
        goal = goals.get(str(run))
        if goal is None:
            continue
        own = members[~members["trial"].isin(invalid.get(str(run), set()))]
        column = COLUMNS.get(goal.percent)
        known = own[column].astype(float) if column else series.percentiles(dataset, own, goal.percent)
        values = np.array(known, dtype=float)
        values = values[~np.isnan(values)]
        if len(values):
            met, doubt = int((values <= goal.limit_ns).sum()), bars(dataset, str(run), str(cell), goal)
            found[str(run), str(cell)] = Kept(goal, met, len(values), doubt)
    return found
