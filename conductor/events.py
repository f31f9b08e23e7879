"""events.jsonl: every event as it arrived. Flushed line by line, for it is all that survives a dead controller."""

import contextlib
import datetime
import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conductor.errors import ResultsLost


class EventLog:
    """Begins with a header and ends with a trailer that counts the lines between. Trials side by side share it. A run
    that `resumes` writes on below what there is; a trailer between two parts counts nothing."""

    def __init__(self, path: Path, run: str, *, resumes: bool = False) -> None:
        self._lock = threading.Lock()
        if resumes:
            self._lines = mended(path)
            self._file = path.open("a", encoding="utf-8")
            return
        self._file = path.open("x", encoding="utf-8")
        self._lines = 0
        header = {"header": 1, "file": "events", "version": 1, "run": run, "host": "controller", "trial": None}
        self._put(header | {"t": time.monotonic_ns(), "utc": utc_now()})

    def write(self, host: str, trial: int | None, at_ns: int, event: Mapping[str, Any]) -> None:
        """An agent's event, with what the controller knows of it."""
        with self._lock:
            self._put({**event, "host": host, "trial": trial, "at": at_ns})
            self._lines += 1

    def say(self, trial: int | None, event: str, **fields: Any) -> None:
        """An event of the conductor's own."""
        self.write("controller", trial, time.monotonic_ns(), {"event": event, **fields})

    def _put(self, document: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(document, separators=(",", ":")) + "\n")
            self._file.flush()
        except OSError as error:
            raise lost(Path(self._file.name), error) from None

    def close(self) -> None:
        with contextlib.suppress(ResultsLost, OSError):  # what cannot be written has been told, or the trailer tells it
            self._put({"trailer": 1, "lines": self._lines, "t": time.monotonic_ns()})
            os.fsync(self._file.fileno())
        with contextlib.suppress(OSError):
            self._file.close()


def utc_now() -> str:
    """Wall time, with milliseconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def mended(path: Path) -> int:
    """The number of lines between header and trailer; a last line that was cut off is ended."""
    with path.open("r+b") as file:
        count, last = -1, b"\n"
        for line in file:
            count, last = count + (not line.startswith(b'{"trailer"')), line
        if not last.endswith(b"\n"):
            file.write(b"\n")
    return count


def lost(path: Path, error: OSError) -> ResultsLost:
    return ResultsLost(
        f"{path} cannot be written ({error.strerror}), so the run ends here; what was written until now can be "
        "read, and the hosts' own logs are still there (playbooks/collect.yml)."
    )


def write_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file so that nobody ever reads half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(document, indent=1) + "\n")
        partial.replace(path)
    except OSError as error:
        raise lost(path, error) from None
