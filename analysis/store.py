"""A dataset as Parquet files under `dataset/`: whole or not at all, safe to delete, read back only while its
sources are the same."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.model import SCHEMA_VERSION, TABLES, Dataset, frame

FOLDER = "dataset"
SOURCES = ("events.jsonl", "manifest.json")
KEY = b"c10k"
CODE = Path(__file__).resolve().parent
CHUNK_BYTES = 1 << 20


def write(dataset: Dataset, directory: Path) -> Path:
    """All tables into `directory`/dataset, in place of what was there. OSError where that is not possible."""
    made = Path(tempfile.mkdtemp(prefix=".dataset-", dir=directory))
    try:
        told = json.dumps(
            {"schema": SCHEMA_VERSION, "made_from": made_from(directory), "notes": dataset.notes}
        ).encode()
        for name, table in dataset.tables.items():
            pq.write_table(described(name, table, told), made / f"{name}.parquet", compression="zstd")
        made.chmod(0o755)
        target = directory / FOLDER
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return target


def read(directory: Path) -> Dataset | None:
    """What was written, if it is whole and its sources and this code are what they were; else None."""
    folder = directory / FOLDER
    try:
        told = json.loads(pq.read_schema(folder / "runs.parquet").metadata[KEY])
        if told["schema"] != SCHEMA_VERSION or told["made_from"] != made_from(directory):
            return None
        tables = {name: pq.read_table(folder / f"{name}.parquet").to_pandas() for name in TABLES}
        return Dataset.of(told["notes"], **{name: frame(name, table) for name, table in tables.items()})
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None  # it is only a copy


def made_from(directory: Path) -> str:
    """A hash of the sources and of the code that reads them."""
    digest = hashlib.sha256()
    code = sorted([CODE / "schema.yml", *CODE.glob("*.py"), *(CODE / "ingest").glob("*.py")])
    for path in (*(directory / name for name in SOURCES), *code):
        digest.update(path.name.encode() + b"\0")
        if path.is_file():
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
    return digest.hexdigest()


def described(name: str, table: pd.DataFrame, told: bytes) -> pa.Table:
    """The table with the meaning of each column beside it."""
    made = pa.Table.from_pandas(table, preserve_index=False)
    columns = TABLES[name].columns
    fields = [
        field.with_metadata({"kind": columns[field.name][0], "meaning": columns[field.name][1]})
        for field in made.schema
    ]
    metadata = {**(made.schema.metadata or {}), KEY: told, b"rows": TABLES[name].rows.encode()}
    return made.cast(pa.schema(fields, metadata=metadata))
