"""A virtual environment made of wheels, without pip and without a network. Runs on the server host (Python 3.8)."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible.module_utils.c10k_tree import digest

STAMP = "c10k-stamp"  # server/needs.py looks for it
PACKAGES = ("uvloop", "gevent", "trio")


def wanted(wheels: Path) -> str:
    """What the stamp of an environment made now would hold: by which Python, of what."""
    content = "".join(f"{wheel.name} {digest(wheel)}\n" for wheel in sorted(wheels.glob("*.whl")))
    return f"{sys.executable} {platform.python_version()} {hashlib.sha256(content.encode()).hexdigest()}\n"


def is_made(wheels: Path, venv: Path) -> bool:
    try:
        return (venv / STAMP).read_text() == wanted(wheels)
    except OSError:
        return False


def make(wheels: Path, venv: Path) -> None:
    """The stamp comes last, when every package has been imported; RuntimeError has the last words of what failed."""
    if venv.exists():
        shutil.rmtree(str(venv))
    run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    (site,) = venv.glob("lib/python*/site-packages")
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(str(wheel)) as archive:
            archive.extractall(str(site))
    run(str(venv / "bin/python"), "-c", f"import {', '.join(PACKAGES)}")
    (venv / STAMP).write_text(wanted(wheels))


def run(*command: str) -> None:
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode:
        said = (result.stderr.strip() or result.stdout.strip() or f"status {result.returncode}").splitlines()[-1]
        raise RuntimeError(said)
