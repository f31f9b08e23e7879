"""The task c10k_collect as Ansible runs it, on this machine: what came home whole goes from the host, and only that."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import line

BIN = Path(sys.executable).parent
RUN = "20200101T000000Z-c0ffee"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The directory of a host, with the log of a trial."""
    log = tmp_path / "server" / "runs" / RUN / "001" / "agent.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("a line\n")
    yield tmp_path / "server"
    shutil.rmtree(line.RESULTS / RUN, ignore_errors=True)


def collect(home: Path, **environment: str) -> dict[str, Any]:
    """One run of the task; its answer."""
    arguments = json.dumps({"home": str(home), "run": RUN, "within_run": False})
    result = subprocess.run(
        [str(BIN / "ansible"), "server", "-i", "inventory/local", "-m", "c10k_collect", "-a", arguments],
        cwd=line.ROOT, env={**line.environment(), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
        | {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline", "ANSIBLE_DEPRECATION_WARNINGS": "0"} | environment,
        text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    answer = result.stdout[result.stdout.index("{") :]
    return dict(json.loads(answer[: answer.rindex("}") + 1]))


def test_what_came_home_goes_from_the_host(home: Path) -> None:
    found = collect(home)
    assert (found["changed"], found["files"]) == (True, 1)
    assert (line.RESULTS / RUN / "hosts/server/001/agent.jsonl").read_text() == "a line\n"
    assert list(home.rglob("*")) == [home / "runs"]
    again = collect(home)
    assert (again["changed"], again["msg"]) == (False, f"server has no logs of {RUN}.")


def test_logs_that_cannot_be_deleted_are_told(home: Path) -> None:
    tools = home.parent / "tools"
    tools.mkdir()
    (tools / "rm").write_text("#!/bin/sh\necho this disk cannot be written >&2\nexit 1\n")
    (tools / "rm").chmod(0o755)
    found = collect(home, PATH=f"{tools}:{line.environment()['PATH']}")
    assert found["msg"] == f"The logs of {RUN} stay on server too: this disk cannot be written"
    assert (home / "runs" / RUN / "001/agent.jsonl").exists()
    assert (line.RESULTS / RUN / "hosts/server/001/agent.jsonl").exists()
