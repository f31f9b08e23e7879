"""The files of a run against the manifest that lists them: whole, changed, truncated or missing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from analysis.ingest.fields import count, mapping, text

DERIVED = ("dataset/", "export/", "report.html", "summary.csv")  # ours, and made anew at will
CHUNK_BYTES = 1 << 20


def file_rows(run: str, directory: Path, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per listed file. Only those that differ are looked into for why."""
    rows = []
    for name, entry in mapping(manifest.get("files")).items():
        if name.startswith(DERIVED) or Path(name).is_absolute() or ".." in Path(name).parts:
            continue
        state, detail = _state(directory / name, count(mapping(entry).get("bytes")), text(mapping(entry).get("sha256")))
        rows.append({"run": run, "path": name, "state": state, "detail": detail})
    return rows


def _state(path: Path, size: int | None, wanted: str | None) -> tuple[str, str | None]:
    try:
        found = path.stat().st_size
        digest = _digest(path)
    except OSError as error:
        return "missing", error.strerror
    except ValueError:
        return "missing", "no file has such a name"  # such as one with a NUL
    if digest == wanted:
        return ("truncated", "no trailer: whoever wrote it was cut off") if _is_cut(path) else ("whole", None)
    if size is not None and found < size:
        return "truncated", f"{found:,} of {size:,} bytes"
    return "changed", "it is not what the manifest has the hash of"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _is_cut(path: Path) -> bool:
    """Whether one of our own JSONL files lacks its trailer, its last line."""
    if path.suffix != ".jsonl":
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return mapping(json.loads(last)).get("trailer") != 1
    except (ValueError, RecursionError):
        return True
