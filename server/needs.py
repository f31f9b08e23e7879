"""Says what a strategy lacks here: packages, a program built in C or Go, a feature of the kernel or of Python."""

from __future__ import annotations

import importlib
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from server.catalog import Strategy

ROOT = Path(__file__).resolve().parents[1]
# `prepare` brings them beside the copy of server/ on a host, for each interpreter those of its ABI.
PACKAGES = ROOT / f"packages-cp{sys.version_info[0]}{sys.version_info[1]}{sys.abiflags}"
GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
# Where `prepare` puts the programs of server/reference/ on a host, then where they are built in a checkout.
HOMES = (ROOT / "reference", ROOT / f".cache/reference-{GO_NAMES.get(platform.machine(), platform.machine())}")


def missing(strategy: Strategy) -> str | None:
    """One sentence on what the strategy lacks here, and how to get it; None: nothing."""
    if strategy.is_program and not program(strategy.loop):
        build = f"python3 server/reference/build.py --out {HOMES[-1].relative_to(ROOT)}"
        return f"The program {strategy.loop} is not built in {HOMES[0]} or {HOMES[-1]}: run `{build}` in {ROOT}."
    if "io_uring" in strategy.needs:
        # Only where it is asked for, since it calls into the C library.
        reason: str | None = importlib.import_module("server.linux.uring").unavailable()
        if reason:
            return reason
    if "subinterpreters" in strategy.needs and (sys.implementation.name != "cpython" or sys.version_info < (3, 12)):
        here = f"{platform.python_implementation()} {platform.python_version()}"
        return f"{strategy.name} needs CPython 3.12 or newer, and this is {here}: start it with one."
    absent = [name for name in strategy.packages if not (PACKAGES / name).is_dir() and not find_spec(name)]
    if absent:
        names = " ".join(absent)
        return f"{strategy.name} needs a package that this Python lacks: run `{sys.executable} -m pip install {names}`."
    return None


def program(name: str) -> Path | None:
    """The loop that is a program of its own, in C or Go, where it has been built."""
    return next((home / name for home in HOMES if (home / name).is_file()), None)


def find_packages(strategy: Strategy) -> None:
    """Let this process import what `prepare` brought, before other versions that the Python has itself."""
    if strategy.packages and PACKAGES.is_dir():
        sys.path.insert(0, str(PACKAGES))
