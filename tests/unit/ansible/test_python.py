"""The interpreters of a host: found by version and by path, and believed only where they are what was asked for."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils import c10k_python
from plugins.module_utils.c10k_python import ask, interpreters

VERSION = ".".join(map(str, sys.version_info[:2]))
HERE = ask(sys.executable) or {}


def plant(place: Path, **told: Any) -> Path:
    """A program that says of itself what it is told to."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({**HERE, 'executable': str(place), **told})}\nEND\n")
    place.chmod(0o755)
    return place


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that alone is PATH, beside a home for the others."""
    monkeypatch.setattr(c10k_python, "HOMES", (f"{tmp_path}/versions/*/bin",))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}/bin{os.pathsep}/usr/bin")
    return tmp_path


def test_this_interpreter_is_found_by_its_path() -> None:
    (found,) = interpreters([sys.executable]).values()
    assert found is not None
    assert found["python"].startswith(VERSION) and found["implementation"] == "CPython"
    assert found["gil"] and not found["free_threaded"] and found["build"]


def test_one_that_is_another_version_than_its_name_says_is_passed_over(only: Path) -> None:
    plant(only / "bin/python3.97", python="3.96.1")
    plant(only / "versions/3.97.9/bin/python3.97", python="3.97.9")
    newest = plant(only / "versions/3.97.10/bin/python3.97", python="3.97.10")
    found = interpreters(["3.97", "3.97.9", "3.97.1"])
    assert {name: one and one["executable"] for name, one in found.items()} == {
        "3.97": str(newest), "3.97.9": str(only / "versions/3.97.9/bin/python3.97"), "3.97.1": None,
    }  # fmt: skip


def test_a_free_threaded_build_and_pypy_are_others(only: Path) -> None:
    free = plant(only / "bin/python3.98t", python="3.98.0", free_threaded=True, gil=False)
    pypy = plant(only / "bin/pypy3.98", python="3.98.3", implementation="PyPy")
    plant(only / "bin/python3.98", python="3.98.0", free_threaded=True)
    found = interpreters(["3.98t", "pypy3.98", "3.98"])
    assert {name: one and one["executable"] for name, one in found.items()} == {
        "3.98t": str(free), "pypy3.98": str(pypy), "3.98": None,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["exit 1", "echo", "echo 7", "echo '{'", "exec /nowhere"])
def test_a_program_that_is_no_interpreter_is_none(only: Path, text: str) -> None:
    place = plant(only / "bin/mine")
    place.write_text(f"#!/bin/sh\n{text}\n")
    assert interpreters([str(place), str(only / "nothing")]) == {str(place): None, str(only / "nothing"): None}


def test_beside_shims_lie_the_interpreters(only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that is another's, or none, leads to none of pyenv's; its shims in PATH do."""
    monkeypatch.setenv("PATH", f"{only}/pyenv/shims{os.pathsep}/bin{os.pathsep}/usr/bin")
    real = plant(only / "pyenv/versions/3.95.1/bin/python3.95", python="3.95.1")
    shim = plant(only / "pyenv/shims/python3.95")
    shim.write_text("#!/bin/sh\nexit 127\n")
    (found,) = interpreters(["3.95"]).values()
    assert found is not None and found["executable"] == str(real)
