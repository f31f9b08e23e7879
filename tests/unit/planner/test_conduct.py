"""The conductor as a child of the playbook: one that is frozen is not waited for without end."""

import os
import signal
import sys
from pathlib import Path

import pytest

from planner import conduct

TALKS = "import os, signal; print('one line', flush=True); {then}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose `conductor` is what the test writes."""
    monkeypatch.setattr(conduct, "QUIET_S", 2)
    monkeypatch.setattr(sys, "executable", sys._base_executable)  # type: ignore[attr-defined]  # not the venv's paths
    return tmp_path


def run(root: Path, then: str) -> tuple[tuple[int, str], list[str]]:
    (root / "conductor.py").write_text(TALKS.format(then=then))
    said: list[str] = []
    return conduct.conduct(root / "plan.yml", root, root, os.getpid(), said.append), said


def test_a_frozen_conductor_is_killed_and_told(root: Path) -> None:
    (code, complaint), said = run(root, "os.kill(os.getpid(), signal.SIGSTOP)")
    assert (code, said) == (3, ["one line"])
    assert complaint.startswith("The conductor said nothing for 2 s, so it was killed")


def test_one_that_speaks_on_is_left_alone(root: Path) -> None:
    then = "import time; [(time.sleep(0.5), print(n, flush=True)) for n in range(8)]"
    assert run(root, then) == ((0, ""), ["one line", *map(str, range(8))])


def test_one_that_ends_is_not_called_frozen(root: Path) -> None:
    (code, complaint), _ = run(root, f"os.kill(os.getpid(), {int(signal.SIGTERM)})")
    assert (code, complaint) == (-signal.SIGTERM, "")
