"""What a check is, and what it sees: one observation per trial, client or run; a finding is all of one check's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pandas as pd

from analysis.model import Dataset, yaml_of

SEVERITIES = ("invalid", "warn", "info")


@dataclass(frozen=True)
class Observation:
    """One place where a check has something to say.

    `text` is a sentence with its figures, without the trial's number and the full stop; `size` says which of several is
    the worst; `severity` and `remedy` are those of the check unless given; `figures` go into the evidence. No `trial`:
    the whole run.
    """

    run: str
    trial: int | None
    hosts: tuple[str, ...]
    text: str
    size: float
    severity: str | None
    figures: Mapping[str, Any]
    remedy: str | None = None


Observe = Callable[[Dataset], Iterable[Observation]]


def seen(
    row: Mapping[Any, Any], text: str, size: float = 0.0, /, *, hosts: tuple[str, ...] | None = None,
    severity: str | None = None, remedy: str | None = None, **figures: Any,
) -> Observation:  # fmt: skip
    """An observation of what this row is of: a run, and if it has them a trial and a host."""
    trial = None if pd.isna(row.get("trial")) else int(row["trial"])
    named = hosts if hosts is not None else (str(row["host"]),) if "host" in row else ()
    return Observation(str(row["run"]), trial, named, text, float(size), severity, figures, remedy)


@dataclass(frozen=True)
class Check:
    """The words of a check. `covers`: ids of checks that say the same in other words; about a trial that this one
    names they are silent. `forbids`: metrics, or `contrasts`, of which no claim holds where the check warns;
    where it `adds` to them, what it warns of can have made them larger and not smaller."""

    id: str
    family: str
    title: str
    severity: str
    matters: str
    remedy: str
    covers: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    adds: bool = False


@dataclass(frozen=True)
class Threshold:
    value: float
    unit: str
    reason: str


def _document(name: str) -> Any:
    text = files("analysis").joinpath("checks", name).read_text(encoding="utf-8")
    return yaml_of(text)


THRESHOLDS = {name: Threshold(*entry) for name, entry in _document("thresholds.yml").items()}
CHECKS = {
    id_: Check(id_, family, **words | {name: tuple(words.get(name, ())) for name in ("covers", "forbids")})
    for family, members in _document("checks.yml").items()
    for id_, words in members.items()
}


def threshold(name: str) -> float:
    """The value of a threshold."""
    return THRESHOLDS[name].value
