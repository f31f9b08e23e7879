"""A duet: two servers measured at the same time on the same CPUs under the same load. What disturbs one disturbs the
other, so the ratio of what a request costs them hardly moves where either cost does (Bulej, Horký, Tůma, Farquet and
Prokopec, "Duet Benchmarking: Improving Measurement Accuracy in the Cloud", ICPE 2020)."""

from __future__ import annotations

from collections.abc import Container

import pandas as pd

ONLY_COSTS = "measured side by side, where each hinders the other: only costs are compared"


def put_beside(trials: pd.DataFrame, rivals: Container[str]) -> dict[str, str]:
    """Of one run by rival the cell of the baseline beside which the plan put it, where that is one."""
    found: dict[str, set[str]] = {}
    for cell, other in zip(trials["cell"], beside(trials, "cell"), strict=True):
        if cell in rivals and other is not None and other not in rivals:
            found.setdefault(cell, set()).add(other)
    return {cell: next(iter(others)) for cell, others in found.items() if len(others) == 1}


def is_alone(trials: pd.DataFrame) -> pd.Series:
    """Of a duet the trials that went alone, or went on alone: the other one did not go at the same moment, or did not
    come to its end."""
    known = dict(zip(zip(trials["run"], trials["trial"], strict=True), _ends(trials), strict=True))
    keys = zip(trials["run"], trials["beside"], strict=True)
    pairs = [(own, known.get(key)) for own, key in zip(_ends(trials), keys, strict=True)]
    together = [other is not None and other == (own[0], "ok") for own, other in pairs]
    return trials["beside"].notna() & ~pd.Series(together, trials.index, dtype=bool)


def _ends(trials: pd.DataFrame) -> list[tuple[int, str]]:
    """When each went (0: it is not told), and its outcome."""
    return list(zip(trials["go_ns"].fillna(0), trials["outcome"].fillna(""), strict=True))


def beside(trials: pd.DataFrame, column: str) -> pd.Series:
    """What the trial that ran beside each of these has in this column; missing where none did."""
    known = dict(zip(zip(trials["run"], trials["trial"], strict=True), trials[column], strict=True))
    found = [known.get(key) for key in zip(trials["run"], trials["beside"], strict=True)]
    return pd.Series(found, trials.index, dtype=object)
