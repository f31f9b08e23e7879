"""What the tables of a dataset hold, for people (docs/dataset.md) and for programs (JSON Schema)."""

from __future__ import annotations

import json
from typing import Any

from analysis.metrics import METRICS
from analysis.model import SCHEMA_VERSION, TABLES

INTRODUCTION = f"""# The tables of a dataset

Made by `python -m analysis export --schema md` from [schema.yml](../analysis/schema.yml); change that, not this. For
programs: `python -m analysis export --schema json` prints the JSON Schema of what `export --format json` writes.

`python -m analysis ingest RUN` and `python -m analysis report RUN` (of one run) write one Parquet file for each table
into `RUN/dataset/`, all of them or none, in place of those that were there. The directory is made of the logs alone and
may be deleted: no command reads it back, each reads the logs. `python -m analysis export RUN` writes the same tables as
CSV, Parquet or JSON.

    import pandas
    trials = pandas.read_parquet("results/latest/dataset/trials.parquet")

- This is version {SCHEMA_VERSION} of the tables. A table may get columns at its end; what a column means does not
  change within a version.
- The unit is the end of a column's name: `_ns` nanoseconds, `_s` seconds, `_per_s` a second, `_bytes`, `_requests`.
- `run` and `trial` tell which rows belong together; `cell` does so for the repetitions of one run.
- float: nan was not measured or rests on too few requests, inf is a percentile among requests that were never answered
  (CSV: empty and `inf`; JSON: null and `"inf"`). int, text and bool may be missing too.
- CSV is for spreadsheets: control characters are written out, and a text that would be run as a formula begins with an
  apostrophe. Parquet and JSON have texts as they are.
- `.hgrm` files (`export --format hgrm`) are in milliseconds, one for each trial and kind of histogram. Those of
  responses count requests that were never answered: their curve ends below 100 %, and a comment at the end says how
  many there are.
"""
JSON_TYPES: dict[str, Any] = {
    "text": {"type": ["string", "null"]},
    "int": {"type": ["integer", "null"]},
    "bool": {"type": ["boolean", "null"]},
    "float": {"anyOf": [{"type": ["number", "null"]}, {"enum": ["inf", "-inf"]}]},
}


def page() -> str:
    """docs/dataset.md."""
    lines = [INTRODUCTION, "| table | one row is a |", "|---|---|"]
    lines += [f"| [{name}](#{name}) | {table.rows} |" for name, table in TABLES.items()]
    for name, table in TABLES.items():
        lines += ["", f"## {name}", "", f"One row: {table.rows}.", "", "| column | kind | meaning |", "|---|---|---|"]
        lines += [f"| {column} | {kind} | {meaning} |" for column, (kind, meaning) in table.columns.items()]
    lines += ["", "## The metrics", "", "What `metrics`, `estimates` and `contrasts` are about.", ""]
    lines += ["| metric | what | unit | better |", "|---|---|---|---|"]
    lines += [
        f"| {one.name} | {one.title} | {one.unit} | {'more' if one.higher_is_better else 'less'} |"
        for one in METRICS.values()
    ]
    return "\n".join(lines) + "\n"


def json_schema() -> str:
    """JSON Schema: one file of `export --format json` is one of these."""
    definitions = {name: _definition(name) for name in TABLES}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One table of a dataset, as export --format json writes it",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in TABLES],
        "$defs": definitions,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _definition(name: str) -> dict[str, Any]:
    table = TABLES[name]
    columns = {
        column: JSON_TYPES[kind] | {"description": f"{kind}: {meaning}"}
        for column, (kind, meaning) in table.columns.items()
    }
    row = {"type": "object", "properties": columns, "required": list(columns), "additionalProperties": False}
    return {
        "type": "object",
        "description": f"one row: {table.rows}",
        "properties": {
            "schema": {"const": SCHEMA_VERSION},
            "table": {"const": name},
            "rows_are": {"type": "string"},
            "columns": {"type": "object"},
            "rows": {"type": "array", "items": row},
        },
        "required": ["schema", "table", "rows"],
    }
