"""What a dataset is: tidy tables whose columns, kinds and meanings stand in schema.yml, and how rows become them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pandas.api.types import union_categoricals

from contracts.declared import PARAMETERS

SCHEMA_VERSION = 2
FACTORS = tuple(name for name, parameter in PARAMETERS.items() if parameter.belongs != "run")
"""Everything that is set of a server or its load, in the order in which cells are made."""
# Of a parameter's kind that of its column; all others are text.
KINDS = {"whole": "int", "seconds": "float"}
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Tables are short and are read value by value, which costs several times as much with Arrow's strings as with Python's.
pd.set_option("mode.string_storage", "python")
# The pandas type of each kind. A whole number may be missing, so it is pandas' own integer and not numpy's.
DTYPES: dict[str, pd.StringDtype | pd.Int64Dtype | pd.BooleanDtype] = {
    "text": pd.StringDtype(), "int": pd.Int64Dtype(), "bool": pd.BooleanDtype()
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """The shape of one table: what a row is, and kind and meaning of each column."""

    rows: str
    columns: Mapping[str, tuple[str, str]]


def yaml_of(text: str | bytes) -> Any:
    """What yaml.safe_load gives; its own parser takes ten times as long as the library's."""
    loader = Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _read_schema() -> dict[str, Table]:
    text = files("analysis").joinpath("schema.yml").read_text(encoding="utf-8")
    document = yaml_of(text)
    return {name: Table(table["rows"], _columns(table["columns"])) for name, table in document.items()}


def _columns(given: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name, (kind, meaning) in given.items():
        found |= _parameters() if kind == "parameters" else {name: (kind, meaning)}
    return found


def _parameters() -> dict[str, tuple[str, str]]:
    declared = (PARAMETERS[name] for name in FACTORS)
    return {
        one.name: (KINDS.get(one.kind, "text"), one.meaning + (f", {one.unit}" if one.unit else "")) for one in declared
    }


TABLES = _read_schema()


def frame(table: str, rows: Iterable[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """The rows as the named table: its columns in its order, its kinds; a column that no row has is all missing.

    ValueError for a column that the table does not have, and for a value that is not of the column's kind.
    """
    given = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    # Most tables of a dataset have no rows, and most columns of the others no value: those are made once.
    return _without_rows(table).copy(deep=False) if given.shape == (0, 0) else _made(table, given)


@cache
def _without_rows(table: str) -> pd.DataFrame:
    return _made(table, pd.DataFrame())


def _made(table: str, given: pd.DataFrame) -> pd.DataFrame:
    columns = TABLES[table].columns
    if unknown := set(given.columns) - set(columns):
        raise ValueError(f"{table} has no column {', '.join(sorted(map(str, unknown)))}")
    missing: dict[str, Any] = {}  # by kind
    made: dict[str, Any] = {}
    for name, (kind, _) in columns.items():
        if name in given:
            made[name] = _typed(given[name], kind, f"{table}.{name}").array
            continue
        if kind not in missing:
            missing[kind] = _typed(pd.Series(pd.NA, given.index, "object"), kind, f"{table}.{name}").array
        made[name] = missing[kind]
    return pd.DataFrame(made)


def _typed(values: pd.Series, kind: str, name: str) -> pd.Series:
    is_done = isinstance(values.dtype, pd.CategoricalDtype) or (kind == "float" and values.dtype == np.float64)
    if is_done:  # a category: the texts of a table of millions of rows
        return values
    try:
        if kind == "float":
            # None, NA and nan are one thing in a float column: not measured.
            return pd.Series(values.astype("Float64").to_numpy(dtype=float, na_value=np.nan), index=values.index)
        typed: pd.Series = values.astype(DTYPES[kind])
        return typed
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is of kind {kind}: {error}") from error


@dataclass(frozen=True, eq=False)
class Dataset:
    """Every table of one run or several, and in words what had to be left out. A field per table of schema.yml."""

    runs: pd.DataFrame
    trials: pd.DataFrame
    cells: pd.DataFrame
    hosts: pd.DataFrame
    intervals: pd.DataFrame
    seconds: pd.DataFrame
    histograms: pd.DataFrame
    heat: pd.DataFrame
    server_samples: pd.DataFrame
    host_samples: pd.DataFrame
    own_samples: pd.DataFrame
    kernel: pd.DataFrame
    listen_queue: pd.DataFrame
    workers: pd.DataFrame
    generators: pd.DataFrame
    clocks: pd.DataFrame
    proofs: pd.DataFrame
    errors: pd.DataFrame
    files: pd.DataFrame
    metrics: pd.DataFrame
    estimates: pd.DataFrame
    contrasts: pd.DataFrame
    findings: pd.DataFrame
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, notes: Sequence[str] = (), **tables: Iterable[Mapping[str, Any]] | pd.DataFrame) -> Dataset:
        """A dataset of these tables; the others are empty."""
        return cls(**{name: frame(name, tables.get(name, ())) for name in TABLES}, notes=tuple(notes))

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name in TABLES}


def union(parts: Sequence[Dataset]) -> Dataset:
    """Several datasets as one; the runs keep their names apart."""
    tables = {name: _together([part.tables[name] for part in parts]) for name in TABLES}
    return Dataset(**tables, notes=tuple(note for part in parts for note in part.notes))


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if len(frames) == 1:
        return frames[0]
    if not any(isinstance(dtype, pd.CategoricalDtype) for one in frames for dtype in one.dtypes):
        return pd.concat(frames, ignore_index=True)
    columns = {}
    for name in frames[0].columns:
        parts = [one[name] for one in frames]
        if all(isinstance(part.dtype, pd.CategoricalDtype) for part in parts):
            columns[name] = pd.Series(union_categoricals(parts))
        else:
            columns[name] = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns)
