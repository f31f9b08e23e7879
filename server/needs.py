"""What a strategy needs beyond Python: packages, a program built in C, a feature of the kernel. Is it here?"""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from server import programs
from server.catalog import Strategy

NO_PACKAGES = ("cc", "go", "io_uring")
# What `prepare` makes beside the copy of server/ on a host; the stamp is written when all is there.
VENV = Path(__file__).resolve().parents[2] / "venv"
STAMP = "c10k-stamp"
IO_URING_SINCE = (6, 0)  # multishot receive


def packages(needs: Iterable[str]) -> list[str]:
    """The packages among the needs of a catalogue entry."""
    return [need for need in needs if need not in NO_PACKAGES]


def missing(strategy: Strategy, python: str = sys.executable) -> str | None:
    """One sentence on what the strategy lacks when that interpreter runs it here, and how to get it; None: nothing."""
    if strategy.is_program:
        try:
            programs.find(strategy.loop)
        except programs.NotBuilt as error:
            return str(error)
    if "io_uring" in strategy.needs:
        reason = no_io_uring("this host", platform.release(), _io_uring_disabled())
        if reason:
            return f"{strategy.name} {reason}"
    # The venv of a host is only stamped once its packages have been imported.
    absent = [name for name in packages(strategy.needs) if python == sys.executable and not _importable(name)]
    if absent:
        names = " ".join(absent)
        return f"{strategy.name} needs {names}, which this Python lacks: run `{python} -m pip install {names}`."
    return None


def interpreter(strategy: Strategy) -> str:
    """The Python that is to run a strategy: of the host's venv where that was made and is needed, else this one."""
    needs_venv = packages(strategy.needs) and (VENV / STAMP).exists()
    return str(VENV / "bin/python") if needs_venv else sys.executable


def no_io_uring(host: str, release: str, disabled: str | None) -> str | None:
    """Why a host with that kernel, and that value of kernel.io_uring_disabled, has no io_uring for an echo server."""
    found = re.match(r"(\d+)\.(\d+)", release)
    if not found or (int(found[1]), int(found[2])) < IO_URING_SINCE:
        oldest = ".".join(map(str, IO_URING_SINCE))
        return f"needs Linux {oldest}, and {host} has {release}: boot a newer kernel there, or leave it out."
    if disabled not in (None, "0"):
        return f"needs io_uring, which {host} forbids: run `sysctl kernel.io_uring_disabled=0` there, as root."
    return None


def _io_uring_disabled() -> str | None:
    try:
        return Path("/proc/sys/kernel/io_uring_disabled").read_text().strip()
    except OSError:
        return None  # older kernels cannot switch it off


def _importable(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
