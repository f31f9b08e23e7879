"""What c10k_home packs, where the measured server owns the directory and has put there what it likes."""

import base64
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

RUN = "20261122T190312Z-3f9a1c"
ROOT = Path(__file__).parents[3]
AS_ON_A_HOST = """
import importlib, runpy, sys
import ansible.module_utils as utils
utils.__path__.append({utils!r})
runpy.run_path({module!r}, run_name="__main__")
"""


def asked(home: Path, state: str, **more: Any) -> dict[str, Any]:
    """What the module answers, as a process of its own; TimeoutExpired where it hangs."""
    code = AS_ON_A_HOST.format(
        utils=str(ROOT / "plugins/module_utils"), module=str(ROOT / "plugins/modules/c10k_home.py")
    )
    arguments = {"ANSIBLE_MODULE_ARGS": {"home": str(home), "state": state, "run": RUN, **more}}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(arguments),
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    logs = tmp_path / "server/runs" / RUN / "001"
    logs.mkdir(parents=True)
    (logs / "server.log").write_text("words\n")
    return tmp_path / "server"


def names(answer: dict[str, Any], archive: Path) -> list[str]:
    archive.write_bytes(base64.b64decode(answer["content"]))
    with tarfile.open(archive) as packed:
        return packed.getnames()


@pytest.mark.parametrize("planted", ["pipe", "link", "device"])
def test_what_lies_under_the_archives_name_is_replaced_and_not_opened(home: Path, tmp_path: Path, planted: str) -> None:
    victim, place = tmp_path / "victim", home / f"collect-{RUN}.tar.gz"
    victim.write_text("another's\n")
    if planted == "pipe":
        os.mkfifo(place)  # nobody reads it: who opens it to write waits for ever
    else:
        place.symlink_to("/dev/full" if planted == "device" else victim)
    answer = asked(home, "packed")
    assert "./001/server.log" in names(answer, tmp_path / "a.tgz"), answer
    assert victim.read_text() == "another's\n"
    assert not place.is_symlink() and place.is_file()


@pytest.mark.parametrize("planted", ["pipe", "link", "device", "nothing"])
def test_a_part_is_read_of_a_plain_file_only(home: Path, tmp_path: Path, planted: str) -> None:
    secret, place = tmp_path / "secret", home / f"collect-{RUN}.tar.gz"
    secret.write_text("of the user\n")
    if planted == "pipe":
        os.mkfifo(place)
    elif planted != "nothing":
        place.symlink_to("/dev/zero" if planted == "device" else secret)
    answer = asked(home, "read")
    assert answer["failed"] and RUN in answer["msg"]
    assert not answer.get("content")


def test_only_what_may_be_a_run_is_told(home: Path) -> None:
    """A person is told to type the name in a command."""
    for name in ("x; id", "$(id)", "\x1b[2J", "20261122T190312Z-3f9a1c x"):
        (home / "runs" / name).mkdir()
    assert asked(home, "described")["facts"]["uncollected"] == [RUN]


def test_what_was_not_packed_to_its_end_goes(home: Path) -> None:
    (home / ".packing-abc").write_text("half\n")
    assert asked(home, "packed")["bytes"] > 0
    assert sorted(path.name for path in home.iterdir()) == [f"collect-{RUN}.tar.gz", "runs"]
