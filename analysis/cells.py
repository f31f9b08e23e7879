"""What is compared: one row per cell, with the label by which every table, figure and sentence names it."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.model import Dataset

# Everything that was set, in the words of `trials`.
FACTORS = (
    "strategy",
    "command",
    "workload",
    "connections",
    "active",
    "rate_per_s",
    "requests",
    "arrival",
    "pipeline",
    "think_time_s",
    "steps",
    "hostile",
    "payload_bytes",
    "backlog",
    "connect_rate_per_s",
    "warmup_s",
    "duration_s",
    "timeout_s",
    "arm_timeout_s",
    "generator",
    "port",
    "ports",
    "workers",
)
# Set for each strategy by itself, or without effect on what is measured.
INCIDENTAL = ("port", "workers", "arm_timeout_s", "command")
ABBREVIATED = {
    "connections": "{:,} connections",
    "active": "{:,} active",
    "rate_per_s": "{:,}/s",
    "payload_bytes": "{:,} B",
    "backlog": "backlog {:,}",
    "pipeline": "pipeline {:,}",
    "workers": "{:,} workers",
    "think_time_s": "think {:g} s",
}


def cell_table(dataset: Dataset) -> pd.DataFrame:
    """One row per (run, cell), controls left out, in the order of the plan.

    Columns: run, cell, label, strategy and every factor; trials (planned), good (outcome ok, or dnf where all are),
    outcome (`ok`, `dnf`, or the worst of its trials), limit, held_connections (median), struck (a finding of severity
    `invalid` names the cell, or no trial of it is good).
    """
    measured = dataset.trials[~dataset.trials["control"].fillna(False)]
    struck = struck_cells(dataset.findings)
    rows = []
    for (run, cell), members in measured.groupby(["run", "cell"], sort=False):
        outcome = worst_outcome(members["outcome"])
        good = members[members["outcome"] == ("dnf" if outcome == "dnf" else "ok")]
        row = {"run": run, "cell": cell} | {name: members[name].iloc[0] for name in FACTORS}
        row |= {
            "trials": len(members),
            "good": len(good),
            "outcome": outcome,
            "limit": members["limit"].dropna().max(),
            "held_connections": members["held_connections"].median(),
            "struck": (run, cell) in struck or good.empty,
        }
        rows.append(row)
    table = pd.DataFrame(rows)
    if not table.empty:
        table.insert(2, "label", labels(table))
    return table


def struck_cells(findings: pd.DataFrame) -> set[tuple[str, str]]:
    """The (run, cell) that a finding of severity `invalid` takes out of the ranking."""
    invalid = findings[findings["severity"] == "invalid"]
    return {(row["run"], cell) for row in invalid.to_dict("records") for cell in json.loads(row["cells"])}


def worst_outcome(outcomes: pd.Series) -> str:
    """`dnf` where a trial met a limit, else the first of these that occurs, else `ok`."""
    found = set(outcomes)
    order = ("dnf", "crashed", "invalid", "partial", "interrupted", "unfinished", "not run", "ok")
    return next((outcome for outcome in order if outcome in found), "not run")


def varying(cells: pd.DataFrame) -> list[str]:
    """The factors, besides the strategy, that tell the cells apart."""
    shown = [
        name
        for name in FACTORS[1:]
        if cells[name].nunique(dropna=False) > 1
        and (name not in INCIDENTAL or cells.groupby("strategy")[name].nunique(dropna=False).max() > 1)
    ]
    if "active" in shown and (cells["active"] == cells["connections"]).all():
        shown.remove("active")
    return shown


def labels(cells: pd.DataFrame) -> list[str]:
    """The strategy and what varies beside it, the run too where there are several; without control characters."""
    factors = varying(cells)
    names = [*(["run"] if cells["run"].nunique() > 1 else []), *factors]
    return [
        show.visible(
            ", ".join(
                [str(row["strategy"])]
                + [_word(name, row[name]) for name in names if not _goes_without_saying(name, row)]
            )
        )
        for row in cells.to_dict("records")
    ]


def _goes_without_saying(name: str, row: dict[Hashable, Any]) -> bool:
    """Where all connections are active, and where the load is the usual one."""
    is_usual = (name == "active" and row["active"] == row["connections"]) or (
        name == "workload" and row["workload"] == "open"
    )
    return is_usual or bool(pd.isna(row[name]))


def _word(name: str, value: object) -> str:
    if name in ("run", "workload"):
        return str(value)
    return ABBREVIATED.get(name, name.removesuffix("_s").replace("_", " ") + " {}").format(value)
