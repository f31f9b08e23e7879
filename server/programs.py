"""Loops that are programs of their own, in C or Go: the servers of server/reference/, and where they are found."""

from __future__ import annotations

import platform
from pathlib import Path

NAMES = ("c_echo", "c_null", "go_echo")
ROOT = Path(__file__).resolve().parents[1]
GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
# Where `prepare` puts them on a host, then where they are built in a checkout.
HOMES = (ROOT / "reference", ROOT / f".cache/reference-{GO_NAMES.get(platform.machine(), platform.machine())}")


class NotBuilt(LookupError):
    """The program is nowhere; one sentence."""


def find(name: str) -> Path:
    """The program of that name."""
    for home in HOMES:
        if (home / name).is_file():
            return home / name
    build = f"python3 server/reference/build.py --out {HOMES[-1].relative_to(ROOT)}"
    raise NotBuilt(f"The program {name} is not built in {HOMES[0]} or {HOMES[-1]}: run `{build}` in {ROOT}.")
