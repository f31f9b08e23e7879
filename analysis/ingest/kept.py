"""What was read of a large run, kept for the next command: in the user's cache, for results may come from anywhere."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from analysis.model import Dataset

LARGE_BYTES = 16 << 20  # of events; a smaller file is read about as fast as what is kept
MOST_RUNS = 4
OURS = Path(__file__).parents[1]
CODE = ("*.py", "*.yml", "ingest/*.py", "../contracts/*.py", "../contracts/declared.json")
"""All that decides what a run is read to, from OURS."""


def kept(events: Path, told: str, make: Callable[[], Dataset]) -> Dataset:
    """What `make` makes of the file and of what is `told`, made once for each content of both and of our own code."""
    place = _place()
    if place is None or events.stat().st_size < LARGE_BYTES:
        return make()
    from analysis import store  # which takes as long to import as a small run takes to read

    with events.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    own = place / hashlib.sha256(f"{content} {_code()} {told}".encode()).hexdigest()
    with suppress(OSError, ValueError, KeyError):  # not kept, or damaged: it is made again
        return store.read(own)
    made = make()
    with suppress(OSError):  # a full disk costs time, no figures
        own.mkdir(exist_ok=True)
        store.write(made, own)
        for old in sorted(place.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST_RUNS]:
            shutil.rmtree(old)
    return made


def _place() -> Path | None:
    """The directory in the user's cache; None where somebody else could write into it, as with sudo and a kept HOME."""
    with suppress(OSError, RuntimeError):
        parent = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        place = parent / "c10k"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if parent.stat().st_uid == place.lstat().st_uid == os.geteuid() and not place.is_symlink():
            return place
    return None


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for pattern in CODE:
        for path in sorted(OURS.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()
