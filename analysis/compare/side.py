"""One side of a comparison: what of one run or several is compared, from datasets or from the baseline files that kept
them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pandas as pd

from analysis.cells import INCIDENTAL
from analysis.contrasts import MARGIN, stated_margin, why_not
from analysis.dataset import load
from analysis.environment import COLUMNS, environment
from analysis.estimates import figures_of_trials
from analysis.findings import parsed
from analysis.foreign import content
from analysis.ingest.plan import unsaid
from analysis.ingest.trials import NOT_RUN, UNFINISHED
from analysis.metrics import METRICS
from analysis.model import FACTORS, TABLES, Dataset
from analysis.statistics.interval import middle
from analysis.unreadable import Unreadable
from contracts.declared import PARAMETERS
from contracts.older import RENAMED

VERSION = 3
# What a file of version 1 names otherwise, and the name since.
OLD_NAMES = RENAMED | {
    "rate_per_s": "rate", "think_time_s": "think_time", "connect_rate_per_s": "connect_rate", "warmup_s": "warmup",
    "duration_s": "duration", "timeout_s": "timeout", "arm_timeout_s": "arm_timeout",
}  # fmt: skip
# What a file does not name that is older than they are.
YOUNGER = {name: PARAMETERS[name].default for name in ("python", "profile", "disturb")}
KIND = "c10k baseline"
Factor = str | int | float | None
Key = tuple[Factor, ...]
# Set for each strategy by itself, from what the hosts are: the environment tells of it.
OF_THE_HOSTS = tuple(name for name in INCIDENTAL if name not in ("server_command", "python"))
FACTORS_COMPARED = tuple(name for name in FACTORS if name not in OF_THE_HOSTS)


@dataclass(frozen=True)
class Cell:
    """What was repeated: its factors, and by metric the figure of each good repetition, of several runs that of each
    run; or why there is none."""

    factors: dict[str, Factor]
    outcome: str
    values: dict[str, list[float]]
    why: dict[str, str]


@dataclass(frozen=True)
class Finding:
    """Something that makes figures invalid, and of which strategies; none: of the whole run."""

    check: str
    message: str
    strategies: list[str]


@dataclass(frozen=True)
class Side:
    label: str
    run: str  # of several the first
    runs: list[str]
    unfinished: str  # what of it did not run, in words; empty: nothing
    margin: float  # what counts as equal, as a share, as the run stated it
    cells: list[Cell]
    floors: dict[str, float]  # noise floor by metric, as a share
    environment: list[tuple[str, str, str, str]]  # host, role, key, value
    findings: list[Finding]


def side(given: Sequence[str]) -> Side:
    """One side of a comparison: runs of one thing, each a run's directory, a baseline file (*.json), or one of them as
    label=path."""
    return joined([_one(text) for text in given])


def _one(given: str) -> Side:
    label, sign, path = given.partition("=")
    if not (sign and label and path) or Path(given).exists():
        label, path = "", given
    found = read_baseline(Path(path)) if Path(path).suffix == ".json" else of_run(path)
    return replace(found, label=label or found.label)


def of_run(path: str) -> Side:
    dataset = load([path])
    if (several := dataset.runs["run"].nunique()) != 1:
        raise Unreadable(f"{path} holds {several} runs: name each of them.")
    return of_dataset(dataset)


def joined(sides: Sequence[Side]) -> Side:
    """Several runs as one side: of each cell one figure a run. What one of them cannot tell the side cannot tell."""
    first, runs = sides[0], [one.run for one in sides]
    if len(sides) == 1:
        return first
    if twice := [run for run in dict.fromkeys(runs) if runs.count(run) > 1]:
        raise Unreadable(f"{twice[0]} is given twice: a run says nothing of how much runs differ from itself.")
    keys = {key: cell.factors for one in reversed(sides) for key, cell in by_key(one.cells).items()}
    ordered = dict.fromkeys(key for one in sides for key in by_key(one.cells))
    cells = [_joined_cell(keys[key], [(one.run, by_key(one.cells).get(key)) for one in sides]) for key in ordered]
    floors = {name: max(one.floors.get(name, 0.0) for one in sides) for name in METRICS if any(
        name in one.floors for one in sides)}  # fmt: skip
    return replace(
        first, label=", ".join(one.label for one in sides), runs=runs, cells=cells, floors=floors,
        unfinished="; ".join(f"{one.run}: {one.unfinished}" for one in sides if one.unfinished),
        environment=list(dict.fromkeys(row for one in sides for row in one.environment)),
        findings=[finding for one in sides for finding in one.findings],
    )  # fmt: skip


def _joined_cell(factors: dict[str, Factor], cells: Sequence[tuple[str, Cell | None]]) -> Cell:
    there = [cell for _, cell in cells if cell]
    values: dict[str, list[float]] = {}
    why: dict[str, str] = {}
    for name in METRICS:
        reasons = [f"{run} does not have it" if cell is None else f"{run}: {cell.why[name]}"
                   for run, cell in cells if cell is None or name in cell.why]  # fmt: skip
        if reasons:
            why[name] = "; ".join(reasons)
        else:
            values[name] = [middle(cell.values[name]) for cell in there]
    return Cell(factors, there[0].outcome, values, why)


def by_key(cells: Sequence[Cell]) -> dict[Key, Cell]:
    """By what tells them apart from run to run: their factors, where that is not enough what the hosts decide too."""
    by_factors = [tuple(cell.factors[name] for name in FACTORS_COMPARED) for cell in cells]
    return {
        (key if by_factors.count(key) == 1 else (*key, *(cell.factors[name] for name in OF_THE_HOSTS))): cell
        for key, cell in zip(by_factors, cells, strict=True)
    }


def of_dataset(dataset: Dataset) -> Side:
    """The one run of a dataset."""
    run = str(dataset.runs["run"].iloc[0])
    if dataset.cells["duet"].any():
        raise Unreadable(
            f"{run} is a duet: what a request costs beside another server cannot be held against another run; `gate` "
            "judges within the run."
        )
    figures = figures_of_trials(dataset)
    figures = figures[figures["value"].notna() & ~figures["control"]]
    known = {key: own["value"].tolist() for key, own in figures.groupby(["cell", "metric"], sort=False)}
    cells, names = [], {}
    for row in dataset.cells.to_dict("records"):
        factors = {name: _plain(row[name]) for name in FACTORS}
        names[row["cell"]] = str(factors["server_command"] or factors["strategy"])
        values = {name: known.get((row["cell"], name), []) for name in METRICS}
        why = {name: why_not(row, one, is_known=bool(values[name])) for name, one in METRICS.items()}
        kept = {name: its for name, its in values.items() if its and not why[name]}
        cells.append(Cell(factors, str(row["outcome"]), kept, {name: text for name, text in why.items() if text}))
    around = environment(dataset)
    return Side(
        run, run, [run], unfinished(dataset), stated_margin(dataset, run), cells, noise_floors(dataset.contrasts),
        list(around[list(COLUMNS[1:])].itertuples(index=False, name=None)),
        [Finding(one.check, one.message, [names[cell] for cell in one.cells if cell in names])
         for one in parsed(dataset.findings) if one.is_invalid],
    )  # fmt: skip


def unfinished(dataset: Dataset) -> str:
    """What of a run did not run to its end, in words; empty: nothing."""
    planned = len(dataset.trials)
    left = int(dataset.trials["outcome"].isin([UNFINISHED, NOT_RUN, "interrupted"]).sum())
    if left:
        return f"{planned - left} of {planned} trials were run to their end"
    return "" if dataset.runs["is_whole"].fillna(True).all() else "it has no end, or is still at work"


def noise_floors(contrasts: pd.DataFrame) -> dict[str, float]:
    """By metric the widest that A/A contrasts have; nothing without one."""
    known = contrasts[(contrasts["cell"] == contrasts["baseline"]) & contrasts["noise_floor"].notna()]
    return {str(name): float(value) for name, value in known.groupby("metric")["noise_floor"].max().items()}


def _plain(value: Any) -> Factor:
    """As JSON has it, so that a side from a file and one from a run are the same."""
    if pd.isna(value):
        return None
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() else float(value)


def as_json(value: Any) -> Any:
    """With what JSON has no word for: nan is null, inf is "inf"."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, (list, tuple)) else value


def baseline_text(found: Side) -> str:
    """The baseline file: a line for each cell, so that git shows what changed."""
    document = {"kind": KIND, "version": VERSION, **as_json(asdict(found))}
    parts = []
    for key, value in document.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join("  " + json.dumps(one, ensure_ascii=False) for one in value) + "\n ]"
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_baseline(path: Path) -> Side:
    """Raises Unreadable, with one sentence, for anything but a baseline file of this version."""
    try:
        document = json.loads(content(path).decode("utf-8-sig"), parse_constant=_no_number)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is no JSON; make the baseline file again with compare --save.") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise Unreadable(f"{path} is no baseline file: `compare --save FILE RUN` makes one of a run.")
    if document.get("version") not in (1, 2, VERSION):
        raise Unreadable(f"{path} is a baseline file of another version than {VERSION}; make it again.")
    try:
        return _side(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"{path} is a damaged baseline file; make it again with compare --save.") from error


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _side(document: dict[str, Any]) -> Side:
    for one in document["cells"]:
        known = {OLD_NAMES.get(name, name): value for name, value in one["factors"].items()}
        # A parameter that is younger than the file had its default; what names a cell has none, and must be there.
        told = {name: unsaid(name) for name in FACTORS if unsaid(name) is not None} | YOUNGER | known
        one["factors"] = {name: _factor(name, told[name]) for name in FACTORS}
    younger = {"runs": [document["run"]], "unfinished": "", "margin": MARGIN}
    found: Side = _as(Side, younger | document)
    if not {name for cell in found.cells for name in (*cell.values, *cell.why)}.union(found.floors) <= set(METRICS):
        raise ValueError("a metric that there is not")
    return found


def _factor(name: str, value: Any) -> Factor:
    is_text = TABLES["trials"].columns[name][0] == "text"
    return None if value is None else _as(str, value) if is_text else _plain(_as(float, value))


def _as(kind: Any, value: Any) -> Any:
    """What JSON has of this type, of Side or within it; TypeError, ValueError or KeyError where it is of none such."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in (Side, Cell, Finding):
        return kind(**{name: _as(one, value[name]) for name, one in get_type_hints(kind).items()})
    if kind is Factor:
        return value  # judged by its name
    if origin is dict and isinstance(value, dict):
        return {name: _as(inner[1], one) for name, one in value.items()}
    if origin is list and isinstance(value, list):
        return [_as(inner[0], one) for one in value]
    if origin is tuple and isinstance(value, list):
        return tuple(_as(one, each) for one, each in zip(inner, value, strict=True))
    if kind is float and not isinstance(value, bool) and (isinstance(value, int | float) or value == "inf"):
        return float(value)
    if kind is str and isinstance(value, str):
        return value
    raise TypeError(value)


def environments(base: Side, new: Side) -> pd.DataFrame:
    """Both as one frame of `environment`, whose runs are `base` and `new`."""
    rows = [(name, *row) for name, one in (("base", base), ("new", new)) for row in one.environment]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="string")
