"""`fab logs` and `fab status`, where all hosts are this machine: what is fetched, what is read there, what neither."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from analysis.demo.truth import RUN, Cell, truth
from analysis.demo.write import write
from conductor import doctor, prompt

HOSTS = ("server", "client1", "client2", "client3")
LOGS = """
import sys
from pathlib import Path
from conductor import prompt
sys.exit(prompt.logs(Path(sys.argv[1]), 2, sys.argv[2] or None))
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's directory, and below `base` the logs of its second trial; those of client1 have been fetched."""
    folder = tmp_path / "results" / RUN
    write(folder, made=truth(1, None, [Cell("epoll", duration=1)], blocks=1))
    plan = yaml.safe_load((folder / "plan.yml").read_text())
    for host in plan["hosts"].values():
        host["base"] = str(tmp_path / "base")
    (folder / "plan.yml").write_text(json.dumps(plan))
    for name in HOSTS:
        log(tmp_path, name).parent.mkdir(parents=True)
        log(tmp_path, name).write_text("".join(f"{name} {n}\n" for n in range(30)))
    fetched = folder / "hosts/client1/002/loadgen.log"
    fetched.parent.mkdir(parents=True)
    fetched.write_text("came home\n")
    return folder


def logs(run: Path, host: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", LOGS, str(run), host], text=True, capture_output=True, timeout=60)


def log(place: Path, name: str) -> Path:
    return place / "base" / name / "runs" / RUN / "002" / ("server.log" if name == "server" else "loadgen.log")


def test_the_ends_of_the_logs_from_here_or_from_the_hosts(run: Path) -> None:
    told = logs(run)
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert lines[0] == "== server · server.log of trial 2, on the host"
    assert lines[1:21] == [f"server {n}" for n in range(10, 30)]
    assert lines[21:23] == ["== client1 · loadgen.log of trial 2, fetched", "came home"]
    assert lines[23] == "== client2 · loadgen.log of trial 2, on the host"


def test_of_one_host(run: Path) -> None:
    assert logs(run, "client1").stdout.splitlines() == ["== client1 · loadgen.log of trial 2, fetched", "came home"]


@pytest.mark.parametrize("planted", ["link", "pipe", "directory", "nothing"])
def test_what_lies_in_the_place_of_a_log_is_not_followed_nor_waited_for(
    run: Path, tmp_path: Path, planted: str
) -> None:
    place = log(tmp_path, "server")
    place.unlink()
    if planted == "link":
        place.symlink_to("/etc/passwd")
    elif planted == "pipe":
        os.mkfifo(place)
    elif planted == "directory":
        place.mkdir()
    told = logs(run, "server")
    assert told.returncode == 2
    assert told.stdout == "== server · server.log of trial 2, on the host\n"
    assert told.stderr.startswith("server: its log of trial 2 cannot be read (") and told.stderr.count("\n") == 1


def test_what_a_log_says_is_shown_and_not_executed(run: Path, tmp_path: Path) -> None:
    log(tmp_path, "server").write_bytes(b"\x1b]0;owned\x07 \xff\n")
    assert logs(run, "server").stdout.splitlines()[1] == "\\u001b]0;owned\\u0007 \ufffd"


def test_a_host_whose_python_says_nothing(run: Path) -> None:
    plan = json.loads((run / "plan.yml").read_text())
    plan["hosts"]["server"]["python"] = "/bin/true"
    (run / "plan.yml").write_text(json.dumps(plan))
    told = logs(run, "server")
    assert told.returncode == 2
    assert told.stderr == "server: its log of trial 2 cannot be read (its Python says nothing).\n"


def test_the_status_is_a_row_for_each_host(monkeypatch: pytest.MonkeyPatch) -> None:
    out: list[str] = []
    err: list[str] = []
    monkeypatch.setattr(prompt, "say", out.append)
    monkeypatch.setattr(prompt, "complain", err.append)
    busy = {
        "agent": {"run": RUN}, "locked_by": {"pid": 7, "run": None}, "tuned_by": [RUN],
        "uncollected": ["20261121T000000Z-000000", RUN],
    }  # fmt: skip
    idle: dict[str, object] = {"agent": None, "locked_by": None, "tuned_by": [], "uncollected": []}
    checks = [
        {"host": "client1", "sentence": "client1: memory is short."},
        {"host": "client2", "sentence": "client2 cannot be reached: timed out."},
    ]
    there = {"server": busy, "client1": idle, "client2": None}
    monkeypatch.setattr(doctor, "asked", lambda _arguments: {"there": there, "checks": checks})
    assert prompt.status([]) == 2
    heading, *rows = [text.split("  ") for text in out]
    assert [[word.strip() for word in row if word.strip()] for row in rows] == [
        ["server", RUN, "unknown", RUN, f"{RUN} and 1 more"],
        ["client1", "–", "–", "–", "–"],
        ["client2", "?", "?", "?", "?"],
    ]
    assert heading[0] == "host"
    assert err == ["client2 cannot be reached: timed out."]
