"""The files of a run against the manifest that lists them: whole, changed, truncated or missing."""

from __future__ import annotations

import hashlib
import json
import os
from io import BufferedReader
from pathlib import Path
from typing import Any

from analysis.foreign import opened, within
from analysis.ingest.fields import count, mapping, text

DERIVED = ("dataset/", "export/", "report.html", "summary.csv")  # ours, and made anew at will


def file_rows(run: str, directory: Path, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per listed file. Only those that differ are looked into for why."""
    rows = []
    for name, entry in mapping(manifest.get("files")).items():
        if name.startswith(DERIVED):
            continue
        state, detail = _state(directory, name, count(mapping(entry).get("bytes")), text(mapping(entry).get("sha256")))
        rows.append({"run": run, "path": name, "state": state, "detail": detail})
    return rows


def _state(directory: Path, name: str, size: int | None, wanted: str | None) -> tuple[str, str | None]:
    try:
        with opened(within(directory, name)) as file:
            found = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            is_cut = name.endswith(".jsonl") and _is_cut(file, found)
    except OSError as error:
        return "missing", error.strerror
    if digest == wanted:
        return ("truncated", "no trailer: whoever wrote it was cut off") if is_cut else ("whole", None)
    if size is not None and found < size:
        return "truncated", f"{found:,} of {size:,} bytes"
    return "changed", "it is not what the manifest has the hash of"


def _is_cut(file: BufferedReader, size: int) -> bool:
    """Whether one of our own JSONL files lacks its trailer, its last line."""
    file.seek(max(0, size - 4096))
    last = file.read(4096).rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return mapping(json.loads(last)).get("trailer") != 1
    except (ValueError, RecursionError):
        return True
