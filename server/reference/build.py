"""Builds the C reference servers, c_echo and c_null, with this machine's C compiler.

    python3 server/reference/build.py --out DIR

What is there already, from the same sources, is kept. The programs are linked statically where that is possible, so
that they run on a host with an older C library.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = tuple(HERE / name for name in ("common.h", "common.c", "loop.c", "pending.c"))
PROGRAMS = {name: (*SHARED, HERE / f"{name}.c") for name in ("c_echo", "c_null")}
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")
COMPILE_S = 60


class BuildError(Exception):
    """There is no compiler, or it refuses; one sentence."""


def compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        raise BuildError("The reference servers need a C compiler, and there is no `cc`: install gcc or clang.")
    return found


def digest(sources: Sequence[Path]) -> str:
    """Of everything that decides what comes out."""
    hashed = hashlib.sha256(" ".join((compiler(), *FLAGS)).encode())
    for source in sources:
        hashed.update(source.read_bytes())
    return hashed.hexdigest()


def build_program(target: Path, sources: Sequence[Path]) -> bool:
    """Compile `sources` to `target`, unless that was made from the same ones; whether it had to be."""
    mark = target.with_name(f".{target.name}.sha256")
    wanted = digest(sources)
    if target.exists() and mark.exists() and mark.read_text() == wanted:
        return False
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    names = [str(source) for source in sources if source.suffix == ".c"]
    for link in (["-static"], []):
        command = [compiler(), *FLAGS, f"-I{HERE}", *link, "-o", str(fresh), *names]
        result = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_S, check=False)
        if result.returncode == 0:
            fresh.replace(target)  # never half a program under its name
            mark.write_text(wanted)
            return True
    fresh.unlink(missing_ok=True)
    lines = [line for line in result.stderr.splitlines() if "error" in line] or [f"status {result.returncode}"]
    raise BuildError(f"The C compiler does not build {target.name}: {lines[0].strip()}")


def build(out: Path) -> dict[str, Path]:
    """Every reference server in `out`, built where need be. BuildError says in one sentence why not."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, sources in PROGRAMS.items():
            build_program(out / name, sources)
    except OSError as error:
        raise BuildError(f"Cannot build in {out}: {error.strerror}.") from error
    return {name: out / name for name in PROGRAMS}


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the C reference servers, c_echo and c_null.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="directory to build in")
    options = parser.parse_args()
    try:
        build(options.out)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
