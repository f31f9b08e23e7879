"""agent.json: enough to end this agent by its pid, and no other process."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path


def identify(path: Path, run: str) -> None:
    """Write agent.json; whole, or not at all."""
    start_ticks = int(Path("/proc/self/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"pid": os.getpid(), "start_ticks": start_ticks, "run": run}) + "\n")
    temporary.replace(path)


def forget(path: Path) -> None:
    """Remove agent.json, unless another agent has put its own there since."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        if json.loads(path.read_text())["pid"] == os.getpid():
            path.unlink()
