"""Runs that an older version recorded and the figures that it made of them, against the figures of today.

`python -m tests.unit.analysis.old_runs RUN FIGURES.json[.xz] …` prints what differs, and the map of changed names.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import lzma
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.__main__ import main
from analysis.dataset import load

DATA = Path(__file__).parents[2] / "data"
NAMES: dict[str, dict[str, str]] = yaml.safe_load((DATA / "names.yml").read_text(encoding="utf-8"))
MOST = 3  # differing rows that are told of a table
Tables = Mapping[str, Mapping[str, list[Any]]]


def figures(path: Path) -> Tables:
    """The old figures: {table: {column: values}}."""
    text = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    tables: Tables = json.loads(text)["tables"]
    return tables


def today(run: Path, csv_file: Path) -> Tables:
    """Every table that today's code makes of the run, and `summary --csv`."""
    data = load([str(run)])
    found = {name: {str(c): list(map(_plain, table[c].tolist())) for c in table} for name, table in data.tables.items()}
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["summary", str(run), "--csv", str(csv_file)]) == 0
    with csv_file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return found | {"summary.csv": {name: [row[name] for row in rows] for name in rows[0]}}


def _plain(value: Any) -> Any:
    """Missing is missing, however it is written; a text that is a number (of a CSV file) is that number."""
    if pd.isna(value) or value == "":
        return None
    with contextlib.suppress(ValueError):
        value = float(value) if isinstance(value, str) else value
    # The last digits of a double depend on the order in which it was divided.
    return float(f"{value:.12g}") if isinstance(value, float) else value


def differences(run: str, old: Tables, new: Tables) -> Iterator[str]:
    """What of the old figures of a run is not there today, or is another figure."""
    otherwise = NAMES["otherwise"] | dict.fromkeys(NAMES.get(run, {}), "")
    for table, columns in old.items():
        if table in otherwise:
            continue
        if table not in new:
            yield f"{table}: there is no such table"
            continue
        names = {own: NAMES["columns"].get(own, own) for own in columns if f"{table}.{own}" not in otherwise}
        if lacking := [own for own, name in names.items() if name not in new[table]]:
            yield f"{table} lacks {', '.join(lacking)}"
        known = {own: name for own, name in names.items() if name in new[table] and f"{table}.{own}" != "runs.path"}
        before = _rows([columns[own] for own in known])
        after = _rows([new[table][name] for name in known.values()])
        if "metric" in columns:  # figures that are measured since then are no difference
            place, metrics = list(known).index("metric"), set(columns["metric"])
            after = [row for row in after if row[place] in metrics]
        if len(before) != len(after):
            yield f"{table} has {len(after)} rows where there were {len(before)}"
            continue
        unlike = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        for a, b in unlike[:MOST]:
            told = [f"{n} {x!r} -> {y!r}" for n, x, y in zip(known.values(), a, b, strict=True) if x != y]
            yield f"{table}: {len(unlike)} rows differ: {'; '.join(told)}"


def _rows(columns: list[list[Any]]) -> list[tuple[Any, ...]]:
    """The rows in an order of their own; nan is no figure, as None."""
    rows = zip(*(map(_plain, column) for column in columns), strict=True)
    return sorted(rows, key=lambda row: tuple(map(_order, row)))


def _order(value: Any) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float)
    return is_number, float(value) if is_number else 0.0, "" if is_number else str(value)


if __name__ == "__main__":
    for before, after in NAMES["columns"].items():
        print(f"{before} -> {after}")
    for run, known in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        with tempfile.TemporaryDirectory() as folder:
            told = list(differences(Path(run).name, figures(Path(known)), today(Path(run), Path(folder, "trials.csv"))))
        print(f"{run}: {len(told)} differences", *told, sep="\n  ")
