"""From observations to the table of findings: one row per run, check and severity, the worst first."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.cells import worst_outcome
from analysis.checks.base import SEVERITIES, Check, Observation
from analysis.checks.facts import KEY, Facts
from analysis.checks.registry import CHECKS, OBSERVERS
from analysis.model import Dataset, frame

MOST_EVIDENCE = 100
# Of a conductor's finding, the figure that says how bad it is.
SIZES = {"CL1": "bound_ns", "CL2": "start_skew_ms", "LG1": "lag_p99_ms", "LT1": "late"}
Seen = tuple[Check, Observation]


def findings_table(dataset: Dataset) -> pd.DataFrame:
    """The conductor's findings and those of all checks, each with why it matters and how to mend it."""
    facts = Facts.about(dataset)
    seen = list(_of_conductor(dataset))
    known = {(check.id, one.run, one.trial) for check, one in seen}
    for id_, observe in OBSERVERS.items():
        seen += [(CHECKS[id_], one) for one in observe(facts) if (id_, one.run, _int(one.trial)) not in known]
    groups: dict[tuple[str, str, str], list[Seen]] = {}
    for check, one in _without_covered(seen):
        groups.setdefault((one.severity or check.severity, check.id, one.run), []).append((check, one))
    struck = _struck_cells(dataset, seen)
    ids = list(CHECKS)
    order = sorted(groups, key=lambda key: (SEVERITIES.index(key[0]), ids.index(key[1]) if key[1] in CHECKS else -1))
    return frame(
        "findings", [_row(dataset, severity, groups[severity, id, run], struck) for severity, id, run in order]
    )


def _of_conductor(dataset: Dataset) -> Iterable[Seen]:
    for row in dataset.findings.drop_duplicates().to_dict("records"):
        check = CHECKS.get(row["check"]) or Check(
            str(row["check"]), "other", "A finding of the conductor", "info", "", ""
        )
        evidence = _loads(row["evidence"], {})
        figures = evidence if isinstance(evidence, dict) else {}
        kernel = figures.get("kernel")
        source = kernel if isinstance(kernel, dict) else figures
        size = source.get(SIZES.get(check.id, "TcpExt.ListenOverflows"))
        severity = row["severity"] if row["severity"] in SEVERITIES else "info"
        given = (figures["host"],) if isinstance(figures.get("host"), str) else ()
        text = "" if pd.isna(row["message"]) else str(row["message"]).rstrip(".")
        for trial in _loads(row["trials"], []) or [None]:
            yield (
                check,
                Observation(
                    row["run"],
                    text,
                    float(size) if isinstance(size, int | float) else 0.0,
                    trial,
                    given,
                    severity,
                    figures,
                ),
            )


def _loads(text: Any, otherwise: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else otherwise
    except ValueError:
        return otherwise


def _int(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def _without_covered(seen: Sequence[Seen]) -> list[Seen]:
    """Without what another finding says already of the same trial."""
    covered = {
        (other, one.run, _int(one.trial)) for check, one in seen for other in check.covers if one.trial is not None
    }
    return [(check, one) for check, one in seen if (check.id, one.run, _int(one.trial)) not in covered]


def _struck_cells(dataset: Dataset, seen: Iterable[Seen]) -> set[tuple[str, str]]:
    """The (run, cell) without a good trial once the invalid ones are gone; of several trials only those count that have
    an invalid finding among them."""
    invalid = {(one.run, _int(one.trial)) for check, one in seen if (one.severity or check.severity) == "invalid"}
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
    trials = sorted({number for one in ranked if (number := _int(one.trial)) is not None})
    mine = dataset.trials[(dataset.trials["run"] == run) & dataset.trials["trial"].isin(trials)]
    cells = list(dict.fromkeys(map(str, mine["cell"])))
    if severity == "invalid":
        every = dataset.trials.loc[dataset.trials["run"] == run, "cell"]
        concerned = list(dict.fromkeys(map(str, every))) if not trials else cells
        cells = [cell for cell in concerned if (run, cell) in struck]
    hosts = sorted({host for one in ranked for host in one.hosts})
    evidence = [
        ({} if one.trial is None else {"trial": _int(one.trial)}) | ({"hosts": list(one.hosts)} if one.hosts else {})
        | {name: _plain(value) for name, value in one.figures.items()}
        for one in ranked[:MOST_EVIDENCE]
    ]  # fmt: skip
    return {
        "run": run, "check": check.id, "severity": severity,
        "scope": "trial" if trials else "host" if hosts else "run",
        "cells": json.dumps(cells), "trials": json.dumps(trials), "hosts": json.dumps(hosts),
        "message": _message(check, ranked, trials), "matters": check.matters, "remedy": check.remedy,
        "evidence": json.dumps(evidence),
    }  # fmt: skip


def _message(check: Check, ranked: Sequence[Observation], trials: Sequence[int]) -> str:
    """What is wrong where it is worst, and in how many places it is."""
    worst, all_alike = ranked[0], len({one.size for one in ranked}) == 1
    text = worst.text or check.title
    if len(trials) > 1 and all_alike:
        return f"{text} (trial {_int(worst.trial)} and {len(trials) - 1} more)."
    if len(trials) > 1:
        return f"{text} (trial {_int(worst.trial)}, the worst of {len(trials)})."
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
