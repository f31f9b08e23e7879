"""Every table as a file of its own: CSV, Parquet or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
from pandas.api.types import is_float_dtype

from analysis import store
from analysis.compare.side import as_json
from analysis.model import SCHEMA_VERSION, TABLES, Dataset
from analysis.spreadsheet import csv_text


def write_tables(dataset: Dataset, names: Iterable[str], ending: str, folder: Path) -> list[Path]:
    """The named tables into `folder`, which is made; OSError where that is not possible."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in names:
        path = folder / f"{name}.{ending}"
        WRITERS[ending](dataset, name, path)
        paths.append(path)
    return paths


def _csv(dataset: Dataset, name: str, path: Path) -> None:
    path.write_text(csv_text(dataset.tables[name]), encoding="utf-8")


def _json(dataset: Dataset, name: str, path: Path) -> None:
    """The rows in an array, a line each: what was not measured is null, what is infinite "inf"."""
    table = TABLES[name]
    head = {
        "schema": SCHEMA_VERSION,
        "table": name,
        "rows_are": table.rows,
        "columns": {column: {"kind": kind, "meaning": meaning} for column, (kind, meaning) in table.columns.items()},
    }
    rows = [json.dumps(row, allow_nan=False) for row in records(dataset.tables[name])]
    body = ",\n".join(rows)
    path.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n{body}\n]}}\n', encoding="utf-8")


def records(table: pd.DataFrame) -> list[dict[str, object]]:
    """The rows in what JSON has words for: None where a value is missing, "inf" where it has no end."""
    columns: dict[str, list[object]] = {}
    for name in table.columns:
        values = table[name].astype(object).where(table[name].notna(), None)
        told = values.tolist()
        columns[str(name)] = [as_json(one) for one in told] if is_float_dtype(table[name]) else told
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


WRITERS: dict[str, Callable[[Dataset, str, Path], None]] = {"csv": _csv, "parquet": store.write_table, "json": _json}
