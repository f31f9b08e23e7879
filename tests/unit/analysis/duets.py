"""Trials of a duet for the tests: in each block every rival, and the control, beside a trial of the baseline."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = dict[Any, Any]
BASE = "c0"
Figures = Mapping[str, Sequence[tuple[float | None, float | None]]]


def trials(figures: Figures, column: str = "requests_per_cpu_s", **factors: Any) -> list[Row]:
    """Rows of the table `trials`. `figures`: by rival for each block its own and that of the baseline beside it; of the
    baseline's own name the control's. Who has none did not come to its end."""
    made: list[Row] = []
    for cell, blocks in figures.items():
        for block, both in enumerate(blocks, 1):
            n = len(made) + 1
            made += [_trial(n, n + 1, block, cell, both[0], column), _trial(n + 1, n, block, BASE, both[1], column)]
    return [row | factors for row in made]


def _trial(n: int, beside: int, block: int, cell: str, value: float | None, column: str) -> Row:
    is_control = cell == BASE and n < beside
    return {
        "run": "r1", "trial": n, "beside": beside, "block": block, "cell": cell, "control": is_control,
        "strategy": f"s{cell[1:]}", "workload": "open", "connections": 100, "active": 100, "rate": 10,
        "outcome": "crashed" if value is None else "ok", column: value,
    }  # fmt: skip


def planned(trials: Iterable[Row], pairs: Mapping[int, int]) -> list[Row]:
    """Trials of a plan, of which these stand beside each other."""
    both = {**pairs, **{other: n for n, other in pairs.items()}}
    return [trial | ({"beside": both[trial["n"]]} if trial["n"] in both else {}) for trial in trials]
