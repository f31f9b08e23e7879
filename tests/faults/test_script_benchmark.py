"""What script/benchmark adds to the playbook: its exit codes, and that Ctrl-C leaves no host tuned."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import controller, line

SCRIPT = str(line.ROOT / "script/benchmark")


def run(*words: str) -> int:
    return subprocess.run(
        [SCRIPT, *words], cwd="/", env=line.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        check=False,
    ).returncode  # fmt: skip


def test_a_refusal_is_exit_2() -> None:
    assert run("-e", "conections=100") == 2


def test_a_partial_run_is_exit_3(tmp_path: Path) -> None:
    running = line.start_and_wait_for_load("local", tmp_path / "out", program=SCRIPT, duration=6)
    (agent,) = running.find("loadgen", "client2/runs")
    os.kill(agent, signal.SIGKILL)
    assert running.end(90) == 3


@pytest.mark.lab
@pytest.mark.usefixtures("lab")
def test_ctrl_c_twice_restores_the_hosts_and_is_exit_130(tmp_path: Path) -> None:
    def somaxconn() -> str:
        command = ["ip", "netns", "exec", "c10k-client1", "cat", "/proc/sys/net/core/somaxconn"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    before = somaxconn()
    running = line.start_and_wait_for_load("lab", tmp_path / "out", program=SCRIPT)
    assert somaxconn() == "65535" != before
    controller.interrupt(2, running.run.name)
    assert running.end(60) == 130
    assert somaxconn() == before
    assert not line.processes_of(running.run)
    assert "Traceback" not in running.text()
    assert f"-e run={running.run.name} goes on with this run: one of its trials is missing." in running.text()
