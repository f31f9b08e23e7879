"""Says what a strategy lacks here: packages, a program built in C or Go, a feature of the kernel."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from server import programs
from server.catalog import Strategy

# What `prepare` makes beside the copy of server/ on a host; the stamp is written when all is there.
VENV = Path(__file__).resolve().parents[2] / "venv"
STAMP = "c10k-stamp"


def missing(strategy: Strategy, python: str = sys.executable) -> str | None:
    """One sentence on what the strategy lacks when that interpreter runs it here, and how to get it; None: nothing."""
    if strategy.is_program:
        try:
            programs.find(strategy.loop)
        except programs.NotBuilt as error:
            return str(error)
    if "io_uring" in strategy.needs:
        # Only where it is asked for, since it calls into the C library.
        reason: str | None = importlib.import_module("server.linux.uring").unavailable()
        if reason:
            return reason
    # The venv of a host is only stamped once its packages have been imported.
    absent = [name for name in strategy.packages if python == sys.executable and not _importable(name)]
    if absent:
        names = " ".join(absent)
        return f"{strategy.name} needs a package that this Python lacks: run `{python} -m pip install {names}`."
    return None


def interpreter(strategy: Strategy) -> str:
    """The Python that is to run a strategy: of the host's venv where that was made and is needed, else this one."""
    needs_venv = strategy.packages and (VENV / STAMP).exists()
    return str(VENV / "bin/python") if needs_venv else sys.executable


def _importable(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
