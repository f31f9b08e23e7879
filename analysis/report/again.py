"""The command that plans a run once more: the same trials in the same order, whatever the run was asked by."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.cells import RUNG, natural
from analysis.environment import document
from analysis.model import FACTORS, Dataset
from contracts.declared import PARAMETERS
from contracts.judge import several

PLAIN = re.compile(r"[A-Za-z0-9_.:=,-]+")
"""What Ansible takes for one text, and a shell too."""
NO_LEVEL = ("strategy", "server_command", "requests")
"""Whose `none` no list can hold: cells of which some have it are given one by one."""

USUAL_HOSTS = ["inventory/local"]
"""Of ansible.cfg."""

Cell = Mapping[str, Any]


def commands(dataset: Dataset) -> tuple[str, ...]:
    """For each run the command that plans the same trials on the same hosts; safe to paste into a shell."""
    made = []
    for run in dataset.runs.to_dict("records"):
        told = document(run["parameters"])
        cells = cells_of(dataset.trials[dataset.trials["run"] == run["run"]], told)
        seed = run["seed"] if pd.notna(run["seed"]) else told.get("seed")
        wide = {name: told.get(name) for name, its in PARAMETERS.items() if its.belongs == "run" and name != "seed"}
        given = (asked(cells, told) if cells else {}) | unusual(wide) | ({} if seed is None else {"seed": int(seed)})
        made.append(command(given, hosts_of(document(run["inventory"]))))
    return tuple(made)


def hosts_of(inventory: Mapping[str, Any]) -> list[str]:
    """The words of the command line that name the hosts; none where they are the usual ones, or not known."""
    given, limit = inventory.get("sources"), inventory.get("limit")
    sources = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    words = [word for source in sources if sources != USUAL_HOSTS for word in ("-i", source)]
    return words + (["-l", limit] if isinstance(limit, str) and limit else [])


def cells_of(trials: pd.DataFrame, told: Cell) -> list[Cell]:
    """What each cell of a run was asked, in their order. The rungs of a search are one, which begins with the first."""
    measured = trials[~trials["control"].fillna(False)].sort_values("trial")
    measured = measured.assign(cell=measured["cell"].str.split(RUNG).str[0]).drop_duplicates("cell")
    rows = sorted(measured.to_dict("records"), key=lambda row: natural(str(row["cell"])))
    return [_cell({name: _value(name, row[name]) for name in FACTORS}, told) for row in rows]


def _cell(cell: dict[str, Any], told: Cell) -> Cell:
    """As a person asks: without what the planner has derived."""
    if cell["server_command"] is not None:
        cell["strategy"] = None
    if cell["active"] == cell["connections"]:
        cell["active"] = PARAMETERS["active"].default
    workers = told.get("workers", PARAMETERS["workers"].default)
    if isinstance(workers, list):  # of this cell, where its strategy has several
        workers = cell["workers"] if (cell["workers"] or 0) > 1 else PARAMETERS["workers"].default
    return {**cell, "workers": workers}


def _value(name: str, value: Any) -> Any:
    if pd.isna(value):
        return "burst" if "burst" in PARAMETERS[name].words else None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def asked(cells: Sequence[Cell], told: Cell) -> dict[str, Any]:
    """The parameters that make these cells: lists where they are all combinations of their levels, else `cells`."""
    levels = {name: list(dict.fromkeys(cell[name] for cell in cells)) for name in FACTORS}
    if isinstance(told.get("workers"), list):
        levels["workers"] = told["workers"]
    varied = [name for name, found in levels.items() if len(found) > 1]
    same = unusual({name: found[0] for name, found in levels.items() if name not in varied})
    if "strategy" not in varied and cells[0]["strategy"] is not None:
        same = {"strategy": cells[0]["strategy"]} | same
    compared = [name for name in varied if name != "workers" or not isinstance(told.get("workers"), list)]
    product = [dict(zip(varied, its, strict=True)) for its in itertools.product(*(levels[name] for name in varied))]
    is_product = [[one[name] for name in compared] for one in product] == [
        [cell[name] for name in compared] for cell in cells
    ]
    if is_product and all(None not in levels[name] for name in NO_LEVEL if name in varied):
        return {name: same.get(name, levels[name]) for name in FACTORS if name in same or name in varied}
    each = [unusual({name: cell[name] for name in varied}) for cell in cells]
    return same | {"cells": each}


def unusual(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are said, and are not what a run has anyway."""
    return {name: value for name, value in values.items() if value is not None and value != PARAMETERS[name].default}


def command(given: Mapping[str, Any], hosts: Sequence[str] = ()) -> str:
    """The command line: plain values one by one, whatever a shell or Ansible would take apart as JSON."""
    plain = {name: text for name, value in given.items() if (text := _plain(name, value))}
    rest = {name: value for name, value in given.items() if name not in plain}
    words = [word for name, text in plain.items() for word in ("-e", f"{name}={text}")]
    words += ["-e", json.dumps(rest)] if rest else []
    return shlex.join(["ansible-playbook", *hosts, "run_benchmark.yml", *words])


def _plain(name: str, value: Any) -> str | None:
    """The value of name=value, or None where it must be JSON."""
    values = value if isinstance(value, list) else [value]
    texts = ["none" if one is None else str(one).lower() if isinstance(one, bool) else str(one) for one in values]
    is_plain = name not in ("cells", "server_command") and all(PLAIN.fullmatch(text) for text in texts)
    if not is_plain or (len(texts) > 1 and several(PARAMETERS[name], texts).startswith("'")):
        return None
    return ",".join(texts)
