"""Builds the reference servers: c_echo and c_null with this machine's C compiler, go_echo with its Go.

    python3 server/reference/build.py --out DIR

What is there already, from the same sources, is kept. The programs are linked statically, those in C where that is
possible, so that they run on a host with an older C library. Go also builds for other architectures than this.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = (HERE / "common.h", HERE / "common.c")
PROGRAMS = {name: (*SHARED, HERE / f"{name}.c") for name in ("c_echo", "c_null")}
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")
COMPILE_S = 60
GO_COMPILE_S = 600  # the first time Go builds its standard library too
CACHE = HERE.parents[1] / ".cache"


class BuildError(Exception):
    """There is no compiler, or it refuses; one sentence."""


def compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        raise BuildError("The reference servers need a C compiler, and there is no `cc`: install gcc or clang.")
    return found


def digest(sources: Sequence[Path]) -> str:
    """A hash of everything on which the program depends."""
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
    """Every reference server in C in `out`, built where need be. BuildError says in one sentence why not."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, sources in PROGRAMS.items():
            build_program(out / name, sources)
    except OSError as error:
        raise BuildError(f"Cannot build in {out}: {error.strerror}.") from error
    return {name: out / name for name in PROGRAMS}


def go_compiler() -> str | None:
    """The Go that the bootstrap has put beside this Python, or else the system's."""
    beside = Path(sys.executable).with_name("go")
    return str(beside) if beside.exists() else shutil.which("go")


def go_environment(arch: str | None = None) -> dict[str, str]:
    """Go's caches stay in the checkout, so nothing depends on HOME. `arch` in Go's words; None is this machine's."""
    return {
        **os.environ, "GOCACHE": str(CACHE / "go-build"), "GOMODCACHE": str(CACHE / "go-mod"), "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw -buildvcs=false", "CGO_ENABLED": "0", "GOOS": "linux",
        **({"GOARCH": arch} if arch else {}),
    }  # fmt: skip


def build_with_go(target: Path, module: Path, package: str, arch: str | None = None) -> None:
    """A static program from a Go module. Go's own cache makes the second build a matter of half a second."""
    go = go_compiler()
    if go is None:
        raise BuildError(f"{target.name} needs Go, and there is none: run script/bootstrap, which finds or gets it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.absolute().with_name(f".{target.name}.{os.getpid()}")
    command = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), package]
    built = subprocess.run(
        command, cwd=module, env=go_environment(arch), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=GO_COMPILE_S, check=False,
    )  # fmt: skip
    if built.returncode != 0:
        fresh.unlink(missing_ok=True)
        raise BuildError(f"Go does not build {target.name}: {built.stderr.strip()[-800:]}")
    fresh.replace(target)


def build_go(out: Path, arch: str | None = None) -> None:
    """The reference server in Go, in `out`."""
    build_with_go(out / "go_echo", HERE / "go_echo", ".", arch)


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the reference servers: c_echo, c_null and go_echo.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="directory to build in")
    options = parser.parse_args()
    builds: tuple[Callable[[Path], object], ...] = (build, build_go)
    status = 0
    for one in builds:
        try:
            one(options.out)
        except BuildError as error:  # the others may do
            print(error, file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
