"""Which cell of a run is compared with which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import INCIDENTAL, natural
from analysis.model import FACTORS
from contracts.declared import PARAMETERS

CONTENDER = ("strategy", "server_command")
# Of one contender the first of these that varies is compared: its default, else its first level, is the baseline.
LEVELS = ("hostile", "generator", "profile", "disturb", "python", "backlog", "accept_batch", "read_bytes")


def pairs_of(cells: pd.DataFrame, controlled: set[str], baseline: str | None) -> dict[str, str]:
    """For each cell of one run that is compared the one that it is compared with."""
    factor = compared_by(cells)
    if factor == "strategy" or baseline is not None or cells["null"].notna().any():
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
    cells = cells[cells["null"].isna()]
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
