"""What was read of a large run, kept for the next command: in the user's cache, for results may come from anywhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from analysis.foreign import opened
from analysis.model import Dataset

LARGE_BYTES = 16 << 20  # of events; a smaller file is read about as fast as what is kept
MOST_RUNS = 4
OURS = Path(__file__).parents[1]
CODE = ("*.py", "*.yml", "ingest/*.py", "../contracts/*.py", "../contracts/declared.json")
"""All that decides what a run is read to, from OURS."""


def kept(events: Path, told: str, make: Callable[[], Dataset]) -> Dataset:
    """What `make` makes of the file and of what is `told`, made once for each content of both and of our own code."""
    place = _place()
    content = _content(events) if place is not None else None
    if place is None or content is None:
        return make()
    from analysis import store  # which takes as long to import as a small run takes to read

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


def _content(events: Path) -> str | None:
    """A hash of a large file; None of a small one, and of what cannot be read: whoever makes the dataset says why."""
    with suppress(OSError), opened(events) as file:
        if os.fstat(file.fileno()).st_size >= LARGE_BYTES:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def _place() -> Path | None:
    """The directory in the user's cache; None where somebody else could write into it, as with sudo and a kept HOME."""
    with suppress(OSError, RuntimeError):
        parent = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        place = parent / "c10k"
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        if all(_is_ours_alone(found) for found in (parent.stat(), place.lstat())):
            return place
    return None


def _is_ours_alone(found: os.stat_result) -> bool:
    """A directory into which nobody else can put a file."""
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for pattern in CODE:
        for path in sorted(OURS.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()
