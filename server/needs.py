"""Says what a strategy lacks here: packages, a program built in C or Go, a feature of the kernel."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from server import programs
from server.catalog import Strategy

# `prepare` brings them beside the copy of server/ on a host.
PACKAGES = Path(__file__).resolve().parents[1] / "packages"


def missing(strategy: Strategy) -> str | None:
    """One sentence on what the strategy lacks here, and how to get it; None: nothing."""
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
    absent = [name for name in strategy.packages if not (PACKAGES / name).is_dir() and not _importable(name)]
    if absent:
        names = " ".join(absent)
        return f"{strategy.name} needs a package that this Python lacks: run `{sys.executable} -m pip install {names}`."
    return None


def find_packages(strategy: Strategy) -> None:
    """Let this process import what `prepare` brought, before other versions that the Python has itself."""
    if strategy.packages and PACKAGES.is_dir():
        sys.path.insert(0, str(PACKAGES))


def _importable(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
