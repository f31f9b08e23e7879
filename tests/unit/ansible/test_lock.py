"""The program that holds a lock on a host, as the conductor starts it."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conductor.hold import HOLDER
from plugins.module_utils import c10k_lock


def held(place: Path) -> dict[str, object]:
    """What it says; its input ends at once, and so does it."""
    command = [sys.executable, "-c", HOLDER, "20261122T190312Z-3f9a1c", "0", str(place)]
    done = subprocess.run(command, input="", text=True, capture_output=True, timeout=60, check=True)
    said: dict[str, object] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize(
    "below",
    [None, pytest.param("/run", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can write there"))],
)
def test_a_directory_of_the_users_own_is_made_wherever_it_is(below: str | None) -> None:
    """/run/user/1000 is such a place too."""
    with tempfile.TemporaryDirectory(dir=below) as directory:
        assert held(Path(directory) / "c10k/client1") == {"held": True}


@pytest.mark.parametrize("planted", ["pipe", "file", "link"])
def test_what_lies_in_its_place_is_a_refusal(tmp_path: Path, planted: str) -> None:
    place = tmp_path / "base"
    if planted == "pipe":
        os.mkfifo(place)
    elif planted == "file":
        place.touch()
    else:
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    said = held(place)
    assert said["held"] is False and str(place) in str(said["problem"])


def test_who_holds_a_lock_is_told_without_taking_it(tmp_path: Path) -> None:
    run, free = "20261122T190312Z-3f9a1c", tmp_path / "free"
    free.touch()
    assert c10k_lock.locked_by(str(tmp_path / "missing"), str(free)) is None
    command = [sys.executable, "-c", HOLDER, run, "0", str(tmp_path / "base")]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin and holder.stdout
        assert json.loads(holder.stdout.readline()) == {"held": True}
        assert c10k_lock.locked_by(str(free), str(tmp_path / "base")) == {"pid": holder.pid, "run": run}
        holder.stdin.close()
    assert c10k_lock.locked_by(str(tmp_path / "base")) is None


def test_a_lock_of_another_program_has_no_run(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert c10k_lock.locked_by(str(tmp_path / "file")) == {"pid": os.getpid(), "run": None}
