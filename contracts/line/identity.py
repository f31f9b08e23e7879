"""agent-<nnn>.json in a host's directory: enough to end the agent of a trial by its pid, and no other process."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path


def place(trial_dir: Path) -> Path:
    """Of <base>/<host>/runs/<run>/<nnn>. Two trials that run side by side have an agent each."""
    return trial_dir.parents[2] / f"agent-{trial_dir.name}.json"


def identify(trial_dir: Path, run: str) -> None:
    """Write the record; whole, or not at all."""
    path = place(trial_dir)
    start_ticks = int(Path("/proc/self/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"pid": os.getpid(), "start_ticks": start_ticks, "run": run}) + "\n")
    temporary.replace(path)


def forget(trial_dir: Path) -> None:
    """Remove the record, unless another agent has put its own there since."""
    path = place(trial_dir)
    with suppress(OSError, ValueError, LookupError, TypeError):
        if json.loads(path.read_text())["pid"] == os.getpid():
            path.unlink()
