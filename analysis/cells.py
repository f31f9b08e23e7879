"""What is compared: one row per cell, with the label by which every table, chart and sentence names it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.estimates import invalid_trials
from analysis.findings import parsed
from analysis.ingest.trials import MISSING
from analysis.model import FACTORS, Dataset, frame
from contracts.declared import PASSED

WITHOUT_EFFECT = ("arm_timeout", "listen_timeout")  # on what is measured
OF_THE_WORKLOAD = ("requests", "warmup", "duration")  # how long it lasts
# Set for each strategy by itself, or without effect.
INCIDENTAL = ("server_port", "workers", "server_command", "python", *WITHOUT_EFFECT)
RUNG = "@"
"""In the name of a cell: before it the search of a capacity, behind it the rate of the rung."""
ABBREVIATED = {
    "connections": "{:,} connections", "active": "{:,} active", "rate": "{:,}/s", "payload_bytes": "{:,} B",
    "backlog": "backlog {:,}", "pipeline": "pipeline {:,}", "workers": "{:,} workers", "think_time": "think {:g} s",
}  # fmt: skip
SUMMED = ("planned_requests", "errors_requests", *(f"{name}_requests" for name in MISSING), "surplus_replies")
# What a command line says of address and port, with its option.
PLACED = re.compile(r"(?:(?<!\S)-\S+\s+)?\S*\{\w+\}\S*")
OUTCOMES = ("dnf", "crashed", "invalid", "partial", "interrupted", "unfinished", "not run", "ok")


def cell_table(dataset: Dataset) -> pd.DataFrame:
    """The table `cells`, of a dataset with findings and validity."""
    measured = dataset.trials[~dataset.trials["control"].fillna(False)]
    invalid = invalid_trials(dataset.findings)
    struck = struck_cells(dataset.findings)
    rows = []
    for (run, cell), members in measured.groupby(["run", "cell"], sort=False):
        outcome = worst_outcome(members["outcome"])
        good = members[members["outcome"] == ("dnf" if outcome == "dnf" else "ok")]
        is_counted = members["outcome"].isin(PASSED) & ~members["trial"].isin(invalid.get(str(run), set()))
        row = {"run": run, "cell": cell, "null": members["null"].iloc[0], "duet": members["beside"].notna().any()} | {
            name: members[name].iloc[0] for name in FACTORS
        }
        row |= {
            "trials": len(members), "good": len(good), "counted": int(is_counted.sum()), "outcome": outcome,
            "outcomes": outcomes(members), "limit": members["limit"].dropna().max(),
            "held_connections": members["held_connections"].median(),
            **{name: members.loc[is_counted, name].sum() for name in SUMMED},
            "struck": (run, cell) in struck or good.empty,
        }  # fmt: skip
        row["why"] = _why(row, struck.get((str(run), str(cell))), members["reason"].dropna())
        rows.append(row)
    runs = list(measured["run"].unique())
    rows.sort(key=lambda row: (runs.index(row["run"]), natural(str(row["cell"]))))
    table = frame("cells", rows)
    return table.assign(label=pd.Series(labels(table), index=table.index, dtype="string"))


def struck_cells(findings: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The (run, cell) that a finding of severity `invalid` takes out of the ranking, with the first one's message."""
    invalid = [finding for finding in parsed(findings) if finding.is_invalid]
    return {(finding.run, cell): finding.message for finding in reversed(invalid) for cell in finding.cells}


def _why(row: dict[str, Any], message: str | None, reasons: pd.Series) -> str | None:
    """Why a row is struck or below the others: its limit, the finding, or what became of its trials."""
    if row["outcome"] == "dnf":
        if pd.isna(row["held_connections"]):  # it did not come to hold any
            return show.visible(str(reasons.iloc[0] if len(reasons) else row["outcome"]))
        limit = "" if pd.isna(row["limit"]) else f" ({show.visible(str(row['limit']))})"
        return f"stopped at {show.count(float(row['held_connections']))}{limit}"
    if not row["struck"]:
        return None
    return show.visible(message or str(reasons.iloc[0] if len(reasons) else row["outcome"]))


def worst_outcome(outcomes: pd.Series) -> str:
    """The first of OUTCOMES that occurs: `dnf` where a trial met a limit."""
    found = set(outcomes)
    return next((outcome for outcome in OUTCOMES if outcome in found), "not run")


def outcomes(members: pd.DataFrame) -> str:
    """What became of a cell's trials: `3 ok`, `2 ok, 1 suspect`, `dnf at FD_SETSIZE`, `1 ok, 2 not run`."""
    words = members["outcome"].astype(str)
    words = words.where((words != "dnf") | members["limit"].isna(), "dnf at " + members["limit"].fillna(""))
    is_suspect = (members["validity"] == "suspect").fillna(False).astype(bool) & (words != "ok")
    words = words.where(members["validity"].ne("suspect").fillna(True) | is_suspect, "suspect")
    words = words.where(~is_suspect, words + ", suspect")
    counts = words.value_counts(sort=False)
    return str(counts.index[0]) if len(members) == 1 else ", ".join(f"{n} {word}" for word, n in counts.items())


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that puts c2 before c10."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in re.findall(r"[0-9]+|[^0-9]+", name))


def by_key(cells: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The label of each (run, cell)."""
    return {(run, cell): label for run, cell, label in zip(cells["run"], cells["cell"], cells["label"], strict=True)}


def by_label(cells: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """The (run, cell) of each label."""
    return {label: key for key, label in by_key(cells).items()}


def standing(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that are not struck."""
    return cells[~cells["struck"].fillna(True).astype(bool)]


def series_key(cells: pd.DataFrame, apart: tuple[str, ...]) -> pd.Series:
    """A text for each cell that is the same where the cells of a run differ in nothing but `apart` and what has no
    effect on what is measured."""
    names = ["run", "null", *(name for name in FACTORS if name not in (*WITHOUT_EFFECT, *apart))]
    rows = cells[names].astype("string").fillna("").itertuples(index=False)
    return pd.Series(["\x1f".join(row) for row in rows], index=cells.index, dtype="string")


def varying(cells: pd.DataFrame) -> list[str]:
    """The factors, besides the strategy, that tell the cells apart."""
    shown = [
        name
        for name in FACTORS[1:]
        if cells[name].nunique(dropna=False) > 1
        and (name not in INCIDENTAL or cells.groupby("strategy")[name].nunique(dropna=False).max() > 1)
    ]
    # What only the workload sets apart is told by its name.
    of_workload = [name for name in OF_THE_WORKLOAD if name in shown and "workload" in shown]
    for name in of_workload:
        if cells.groupby("workload")[name].nunique(dropna=False).max() == 1:
            shown.remove(name)
    if "active" in shown and (cells["active"] == cells["connections"]).all():
        shown.remove("active")
    return shown


def labels(cells: pd.DataFrame, apart: tuple[str, ...] = ()) -> list[str]:
    """The strategy and what varies beside it and beside `apart`, the run too where there are several; without control
    characters."""
    names = [*(["run"] if cells["run"].nunique() > 1 else []), *varying(cells)] if len(cells) else []
    own = command_names(list(cells["server_command"].dropna().unique())) if "server_command" in names else {}
    names = [name for name in names if name not in ("server_command", *apart)]
    return [
        show.visible(", ".join([contender(row, own)] + [word(name, row[name]) for name in names if is_said(name, row)]))
        for row in cells.to_dict("records")
    ]


def told_apart(labels: Sequence[str]) -> tuple[dict[str, str], str]:
    """Each label as what tells it from the others, and what all share."""
    parts = [label.split(", ") for label in labels]
    shared = [part for part in parts[0][1:] if all(part in other[1:] for other in parts)] if len(parts) > 1 else []
    own = [", ".join([one[0], *(part for part in one[1:] if part not in shared)]) for one in parts]
    if len(set(own)) < len(set(labels)):
        return dict(zip(labels, labels, strict=True)), ""
    return dict(zip(labels, own, strict=True)), ", ".join(shared)


def contender(row: dict[Hashable, Any], own: Mapping[str, str]) -> str:
    """The strategy; of several own servers also which, of the baseline that is repeated as a rival of its own which
    repetition."""
    which, command = row.get("null"), row["server_command"]
    name = "" if pd.isna(command) or command not in own else f" {own[command]}"
    return f"{row['strategy']}{name}" + ("" if which is None or pd.isna(which) else f" (null {which})")


def command_names(commands: Sequence[str]) -> dict[str, str]:
    """What tells command lines apart, as short as it can be: without the words that all of them begin or end with, and
    with only so much of each path as it takes."""
    words = {command: PLACED.sub("", command).split() or [command] for command in commands}
    shortest = min(map(len, words.values()), default=0)
    first = max(0, min(_begin_alike(list(words.values())), shortest - 1))
    if first and next(iter(words.values()))[first - 1].startswith("-"):
        first -= 1  # the option whose value differs
    last = min(_begin_alike([its[::-1] for its in words.values()]), shortest - 1 - first)
    rests = {command: its[first : len(its) - last] for command, its in words.items()}
    for parts in range(1, 2 + max((word.count("/") for its in rests.values() for word in its), default=0)):
        found = {one: " ".join("/".join(word.split("/")[-parts:]) for word in its) for one, its in rests.items()}
        if len(set(found.values())) == len(commands):
            return found
    found = {command: " ".join(its) for command, its in rests.items()}
    return found if len(set(found.values())) == len(commands) else {command: command for command in commands}


def _begin_alike(lists: Sequence[list[str]]) -> int:
    """With how many equal words."""
    return sum(1 for _ in itertools.takewhile(lambda words: len(set(words)) == 1, zip(*lists, strict=False)))


def is_said(name: str, row: dict[Hashable, Any]) -> bool:
    """False for a value that goes without saying: all connections are active, the load is the usual one."""
    if pd.isna(row[name]):
        return False
    return not (name == "active" and row[name] == row["connections"]) and (name, row[name]) != ("workload", "open")


def word(name: str, value: object) -> str:
    """A factor's value with its name, or what abbreviates it."""
    if name in ("run", "workload"):
        return str(value)
    return ABBREVIATED.get(name, name.replace("_", " ") + " {}").format(value)
