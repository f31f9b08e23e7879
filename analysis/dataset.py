"""The one way to a dataset: read what was given, derive what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis import cells, contrasts, estimates
from analysis.checks import findings_table, validity
from analysis.ingest.run import ingest
from analysis.model import Dataset, union
from analysis.unreadable import Unreadable


def load(given: Sequence[str], *, baseline: str | None = None) -> Dataset:
    """The runs of these directories, with everything derived. `baseline`: the strategy to compare with.

    A directory of runs stands for all that are in it, a run given twice counts once, one that cannot be read is left
    out and named in the notes. Unreadable where none can be read.
    """
    return derive(raw(given), baseline=baseline)


def raw(given: Sequence[str]) -> Dataset:
    """As load, of the tables that are read only."""
    parts: dict[str, Dataset] = {}
    problems: list[Unreadable] = []
    for path in runs_of(given):
        try:
            part = ingest(path)
        except Unreadable as problem:
            problems.append(problem)
            continue
        parts.setdefault(str(part.runs["run"].iloc[0]), part)
    if not parts:
        raise problems[0]
    whole = union(list(parts.values()))
    return replace(whole, notes=(*whole.notes, *map(str, problems)))


def runs_of(given: Sequence[str]) -> list[str]:
    """Each directory of a run, or file, that these stand for."""
    found: list[str] = []
    for one in given:
        path = Path(one)
        inner = sorted(p.parent for p in path.glob("*/events.jsonl")) if path.is_dir() else []
        is_many = inner and not (path / "events.jsonl").exists()
        found += [str(p) for p in inner if not p.is_symlink()] if is_many else [one]
    return list(dict.fromkeys(found))


def derive(raw: Dataset, *, baseline: str | None = None) -> Dataset:
    """What the checks find, then the metrics, the cells, their estimates and contrasts: a struck cell is compared with
    nothing."""
    data = replace(raw, findings=findings_table(raw))
    data = replace(data, trials=data.trials.assign(validity=validity(data)))
    data = replace(data, metrics=estimates.metrics_table(data))
    data = replace(data, cells=cells.cell_table(data))
    data = replace(data, estimates=estimates.estimates_table(data))
    return replace(data, contrasts=contrasts.contrasts_table(data, baseline))
