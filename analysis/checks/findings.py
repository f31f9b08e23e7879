"""From observations to the table of findings: one row per run, check and severity, the worst first."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.cells import worst_outcome
from analysis.checks import agreement, control, data, design, hours, lateness, network, overload, resources, server
from analysis.checks.base import CHECKS, SEVERITIES, Check, Observation, Observe
from analysis.checks.shared import KEY
from analysis.estimates import metrics_table
from analysis.model import Dataset, frame
from contracts.declared import OUTCOMES

MOST_EVIDENCE = 100
# A check is a function whose name begins with its id, an entry in checks.yml and, if it has a threshold of its own, one
# in thresholds.yml; docs/findings.md is made of these.
OBSERVERS: dict[str, Observe] = {
    id_: observe
    for module in (lateness, resources, agreement, server, overload, network, data, hours, design, control)
    for name, observe in vars(module).items()
    if (id_ := name.partition("_")[0].upper()) in CHECKS
}
OF_FIGURES = ("DS10",)  # they judge figures, and which figures count the others say
Seen = tuple[Check, Observation]


def findings_table(dataset: Dataset) -> pd.DataFrame:
    """What all checks find in the tables that were read, each with why it matters and how to mend it."""
    first = _seen(dataset, [id_ for id_ in OBSERVERS if id_ not in OF_FIGURES])
    found = _table(dataset, first)
    counted = replace(dataset, findings=found)
    more = _seen(replace(counted, metrics=metrics_table(counted)), OF_FIGURES)
    return _table(dataset, first + more) if more else found


def _seen(dataset: Dataset, ids: Iterable[str]) -> list[Seen]:
    return [(CHECKS[id_], one) for id_ in ids for one in OBSERVERS[id_](dataset)]


def _table(dataset: Dataset, seen: Sequence[Seen]) -> pd.DataFrame:
    groups: dict[tuple[str, str, str], list[Seen]] = {}
    for check, one in _without_covered(seen):
        groups.setdefault((one.severity or check.severity, check.id, one.run), []).append((check, one))
    struck = _struck_cells(dataset, seen)
    ids = list(CHECKS)
    order = sorted(groups, key=lambda key: (SEVERITIES.index(key[0]), ids.index(key[1])))
    return frame(
        "findings", [_row(dataset, severity, groups[severity, id, run], struck) for severity, id, run in order]
    )


def validity(dataset: Dataset) -> pd.Series:
    """A word for each row of the trials: suspect where a finding that warns or worse names the trial, else valid;
    missing where the trial has no result. A finding of the design is about what trials can show together."""
    doubted = set()
    for row in dataset.findings[dataset.findings["severity"] != "info"].to_dict("records"):
        if CHECKS[row["check"]].family != "design":
            doubted |= {(row["run"], n) for n in json.loads(row["trials"])}
    keys = zip(dataset.trials["run"], dataset.trials["trial"], strict=True)
    words = pd.Series(["suspect" if key in doubted else "valid" for key in keys], dataset.trials.index, "string")
    return words.where(dataset.trials["outcome"].isin(OUTCOMES).fillna(False))


def _without_covered(seen: Sequence[Seen]) -> list[Seen]:
    """Without what another finding says already of the same trial."""
    covered = {(other, one.run, one.trial) for check, one in seen for other in check.covers if one.trial is not None}
    return [(check, one) for check, one in seen if (check.id, one.run, one.trial) not in covered]


def _struck_cells(dataset: Dataset, seen: Iterable[Seen]) -> set[tuple[str, str]]:
    """The (run, cell) without a good trial once the invalid ones are gone; of several trials only those count that have
    an invalid finding among them."""
    invalid = {(one.run, one.trial) for check, one in seen if (one.severity or check.severity) == "invalid"}
    struck = set()
    planned = dataset.trials.drop_duplicates(KEY)
    planned = planned[~planned["control"].fillna(False)]
    for (run, cell), members in planned.groupby(["run", "cell"], sort=False):
        whole_run = (run, None) in invalid
        good = "dnf" if worst_outcome(members["outcome"]) == "dnf" else "ok"
        numbers = {int(n) for n in members.loc[(members["outcome"] == good).fillna(False), "trial"]}
        if whole_run or not {n for n in numbers if (run, n) not in invalid}:
            struck.add((str(run), str(cell)))
    return struck


def _row(dataset: Dataset, severity: str, members: Sequence[Seen], struck: set[tuple[str, str]]) -> dict[str, Any]:
    check, run = members[0][0], members[0][1].run
    ranked = sorted((one for _, one in members), key=lambda one: -one.size if not math.isnan(one.size) else 0.0)
    trials = sorted({one.trial for one in ranked if one.trial is not None})
    mine = dataset.trials[(dataset.trials["run"] == run) & dataset.trials["trial"].isin(trials)]
    cells = list(dict.fromkeys(map(str, mine["cell"])))
    if severity == "invalid":
        every = dataset.trials.loc[dataset.trials["run"] == run, "cell"]
        concerned = list(dict.fromkeys(map(str, every))) if not trials else cells
        cells = [cell for cell in concerned if (run, cell) in struck]
    hosts = sorted({host for one in ranked for host in one.hosts})
    evidence = [
        ({} if one.trial is None else {"trial": one.trial}) | ({"hosts": list(one.hosts)} if one.hosts else {})
        | {name: _plain(value) for name, value in one.figures.items()}
        for one in ranked[:MOST_EVIDENCE]
    ]  # fmt: skip
    return {
        "run": run, "check": check.id, "severity": severity,
        "scope": "trial" if trials else "host" if hosts else "run",
        "cells": json.dumps(cells), "trials": json.dumps(trials), "hosts": json.dumps(hosts),
        "message": _message(check, ranked, trials), "matters": check.matters,
        "remedy": ranked[0].remedy or check.remedy, "evidence": json.dumps(evidence),
    }  # fmt: skip


def _message(check: Check, ranked: Sequence[Observation], trials: Sequence[int]) -> str:
    """What is wrong where it is worst, and in how many places it is."""
    worst, all_alike = ranked[0], len({one.size for one in ranked}) == 1
    text = worst.text or check.title
    if len(trials) > 1 and all_alike:
        return f"{text} (trial {worst.trial} and {len(trials) - 1} more)."
    if len(trials) > 1:
        return f"{text} (trial {worst.trial}, the worst of {len(trials)})."
    return f"{text}." if len(ranked) == 1 or trials else f"{text} (the worst of {len(ranked)})."


def _plain(value: Any) -> Any:
    """As JSON has it: no NaN, no infinity, no types of numpy."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str | bool) or value is None:
        return value
    number = float(value) if not pd.isna(value) else math.nan
    if not math.isfinite(number):
        return None if math.isnan(number) else str(number)
    return int(number) if number == int(number) else number
