"""What is declared in parameters.yml and words.yml, as values: read from declared.json, which script/generate makes.

For Python 3.9 without packages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.judge import Parameter


@dataclass(frozen=True)
class Workload:
    """The traits of a workload; words.yml says what each means."""

    name: str
    holds: bool
    paced: bool
    verifies: bool
    connects_ahead: bool
    asked: bool
    searches: str | None = None


@dataclass(frozen=True)
class Generator:
    """Which program a generator is, and what it has not: parameters beyond their defaults, and workloads."""

    name: str
    program: str
    engine: str
    lacks: tuple[str, ...]
    lacks_workloads: tuple[str, ...]


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


_DOCUMENT = json.loads((Path(__file__).parent / "declared.json").read_text(encoding="utf-8"))

PARAMETERS = {row["name"]: Parameter(**_tuples(row)) for row in _DOCUMENT["parameters"]}
WORKLOADS = {name: Workload(name, **traits) for name, traits in _DOCUMENT["workloads"].items()}
GENERATORS = {name: Generator(name, **_tuples(row)) for name, row in _DOCUMENT["generators"].items()}
HOSTILE: dict[str, str] = _DOCUMENT["hostile"]
COUNTS = tuple(_DOCUMENT["counts"])
ADDED = tuple(name for name, traits in _DOCUMENT["counts"].items() if traits.get("added"))
"""The counts that older runs lack."""
SETTLED = tuple(name for name, traits in _DOCUMENT["counts"].items() if traits["settles"])
INTEGRITY = tuple(_DOCUMENT["integrity"])
WRONG = tuple(name for name, traits in _DOCUMENT["integrity"].items() if traits["wrong"])
"""The classes of replies that make a trial invalid."""
OUTCOMES = tuple(_DOCUMENT["outcomes"])
"""The first of several counts."""
PASSED = tuple(name for name, traits in _DOCUMENT["outcomes"].items() if traits["passes"])
"""The outcomes that are results; any other spoils its run."""
REFUSING_PHASES = tuple(name for name, traits in _DOCUMENT["error_phases"].items() if traits["refuses"])

SERVER = tuple(name for name, parameter in PARAMETERS.items() if parameter.belongs == "server")
"""The parameters that `server` of a trial holds, in order."""
KERNEL = tuple(name for name, parameter in PARAMETERS.items() if parameter.belongs == "kernel")
"""Those that a trial holds itself."""
LOAD = tuple(name for name, parameter in PARAMETERS.items() if parameter.belongs == "load")
"""Those that `load` holds, beside the trial's own seed."""
