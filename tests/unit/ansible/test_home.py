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

from planner.results import unpack

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


def without_a_bottom(place: Path) -> None:
    """A tree that is deeper than Python's stack."""
    place.mkdir(exist_ok=True)
    here = os.open(place, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_what_is_no_log_keeps_no_log_from_coming_home(home: Path, tmp_path: Path) -> None:
    trial = home / "runs" / RUN / "001"
    os.mkfifo(trial / "pipe")
    (trial / "link").symlink_to("/etc/hostname")
    os.link(trial / "server.log", trial / "twice.log")
    (home / "runs" / RUN / "002").symlink_to("/etc")
    (trial / "\x1b[2J").touch()
    without_a_bottom(trial / "tree")
    archive = tmp_path / "a.tgz"
    assert names(asked(home, "packed"), archive) == ["./001/server.log", "./001/twice.log"]
    assert unpack(archive, tmp_path / "hosts/server") == 2
    subprocess.run(["rm", "-rf", str(trial)], check=True)


def test_logs_without_end_are_not_packed(home: Path) -> None:
    log = home / "runs" / RUN / "001/server.log"
    os.truncate(log, 1 << 40)
    answer = asked(home, "packed")
    assert answer["failed"] and "more than 4 GiB" in answer["msg"]
    assert log.exists() and not list(home.glob("*.gz"))


def test_purge_removes_whatever_lies_there_and_follows_no_link(home: Path, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others/file").touch()
    for name in ("app", "venv"):
        (home / name).mkdir()
    without_a_bottom(home / "app/server")
    (home / "venv/link").symlink_to(tmp_path / "others")
    (home / "wheels").symlink_to(tmp_path / "others")
    (home / "agent-001.json").mkdir()
    (home / "agent-002.json").symlink_to("/nowhere")
    answer = asked(home, "removed")
    assert answer["changed"] and answer["left"] == [RUN], answer
    assert [path.name for path in home.iterdir()] == ["runs"]
    assert (tmp_path / "others/file").exists()


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
