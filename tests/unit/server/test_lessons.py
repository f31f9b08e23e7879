"""What the lessons show is so, and each can be run."""

import re
import subprocess
import sys

import pytest

from server import options
from server.lessons import one_accept_per_edge
from tests.unit.server.harness import ROOT


def test_every_lesson_can_be_named() -> None:
    assert sorted(options.LESSONS) == sorted(path.stem for path in (ROOT / "server/lessons").glob("[a-z]*.py"))


@pytest.mark.parametrize("until_empty", [False, True])
@pytest.mark.parametrize("is_stopped", [False, True])
def test_one_accept_per_edge_leaves_clients_waiting(until_empty: bool, is_stopped: bool) -> None:
    served, left = one_accept_per_edge.burst(until_empty, is_stopped, 500)
    assert served + left == 500
    if until_empty:
        assert served == 500
    elif is_stopped:
        assert served == 1, "all of them are one event"
    else:
        assert served < 500


def test_the_command_prints_what_it_counted() -> None:
    command = [sys.executable, "-m", "server", "lesson", "one_accept_per_edge"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    rows = [line.split()[-2:] for line in done.stdout.splitlines() if "runs" in line or "stopped" in line]
    assert rows[1:] == [["1", "499"], ["500", "0"], ["500", "0"]]
    assert alike(done.stdout) in alike((ROOT / "docs/measurements.md").read_text())


def alike(text: str) -> str:
    """The words of a text, whatever its figures."""
    return " ".join(re.sub(r"\d+", "N", text).split())
