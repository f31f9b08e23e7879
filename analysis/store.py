"""A dataset as Parquet files under `dataset/`: whole or not at all, safe to delete. No command reads those of results
back, so that a forged one convinces nobody."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.model import SCHEMA_VERSION, TABLES, Dataset

FOLDER = "dataset"
KEY = b"c10k"


def write(dataset: Dataset, directory: Path) -> Path:
    """All tables into `directory`/dataset, in place of what was there. OSError where that is not possible."""
    made = Path(tempfile.mkdtemp(prefix=".dataset-", dir=directory))
    try:
        for name in dataset.tables:
            write_table(dataset, name, made / f"{name}.parquet")
        made.chmod(0o755)
        target = directory / FOLDER
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return target


def read(directory: Path) -> Dataset:
    """What `write` wrote. OSError, ValueError or KeyError where it is not all there."""
    files = {name: pq.read_table(directory / FOLDER / f"{name}.parquet") for name in TABLES}
    notes = json.loads(files["runs"].schema.metadata[KEY])["notes"]
    return Dataset.of(notes, **{name: file.to_pandas() for name, file in files.items()})


def write_table(dataset: Dataset, name: str, path: Path) -> None:
    """One table, with the meaning of each column beside it."""
    told = json.dumps({"schema": SCHEMA_VERSION, "notes": dataset.notes}).encode()
    made = pa.Table.from_pandas(dataset.tables[name], preserve_index=False)
    columns = TABLES[name].columns
    fields = [
        field.with_metadata({"kind": columns[field.name][0], "meaning": columns[field.name][1]})
        for field in made.schema
    ]
    metadata = {**(made.schema.metadata or {}), KEY: told, b"rows": TABLES[name].rows.encode()}
    pq.write_table(made.cast(pa.schema(fields, metadata=metadata)), path, compression="zstd")
