"""The rows of `findings` as values: their JSON columns are read here, once, for everybody."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import format as show

SEVERITIES = ("invalid", "warn", "info")
Labels = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Finding:
    """One finding. `cells`, `trials` and `hosts` are those that it names; `evidence` has the worst place first."""

    run: str
    check: str
    severity: str
    scope: str
    cells: tuple[str, ...]
    trials: tuple[int, ...]
    hosts: tuple[str, ...]
    message: str
    matters: str
    remedy: str
    evidence: Sequence[Mapping[str, Any]]

    @property
    def is_invalid(self) -> bool:
        return self.severity == "invalid"

    def where(self, labels: Labels, concerned: Sequence[str] = (), most: int = 8) -> str:
        """Cells, trials and hosts in words. `concerned`: what to name where the finding names no cell."""
        cells = [labels.get((self.run, cell), cell) for cell in self.cells] or list(concerned)
        parts = [some(cells, "; ", most), some(map(str, self.trials), ", ", most), some(self.hosts, ", ", most)]
        word = "trials" if len(self.trials) > 1 else "trial"
        return " · ".join(f"{word} {part}" if i == 1 else part for i, part in enumerate(parts) if part)


def some(names: Any, separator: str, most: int) -> str:
    """The first of the names, and how many more there are."""
    known = [show.visible(name) for name in names]
    rest = len(known) - most
    return separator.join(known[:most]) + (f" and {rest} more" if rest > 0 else "")


def parsed(findings: pd.DataFrame) -> list[Finding]:
    """The worst first, else in the order of the table."""
    rows = sorted(findings.drop_duplicates().to_dict("records"), key=lambda row: SEVERITIES.index(row["severity"]))
    return [
        Finding(
            **{name: str(row[name]) for name in ("run", "check", "severity", "scope", "message", "matters", "remedy")},
            cells=tuple(json.loads(row["cells"])), trials=tuple(json.loads(row["trials"])),
            hosts=tuple(json.loads(row["hosts"])), evidence=json.loads(row["evidence"]),
        )
        for row in rows
    ]  # fmt: skip


def concerned(finding: Finding, trials: pd.DataFrame) -> list[str]:
    """The cells of the trials that a finding names."""
    mine = (trials["run"] == finding.run) & trials["trial"].isin(finding.trials)
    return list(dict.fromkeys(map(str, trials.loc[mine.to_numpy(dtype=bool, na_value=False), "cell"])))
