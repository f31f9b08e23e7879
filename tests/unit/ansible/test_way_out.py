"""The last words of a playbook that ended early, and its last deed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.callback.c10k_way_out import CallbackModule as WayOut
from tests import line


@pytest.fixture
def last(monkeypatch: pytest.MonkeyPatch) -> WayOut:
    from ansible import context

    monkeypatch.setattr(context, "CLIARGS", {"inventory": ["/a place/lab", "/b"], "become_ask_pass": True})
    monkeypatch.setattr("atexit.register", lambda _last: None)
    return WayOut()


def test_it_says_what_puts_the_hosts_back(last: WayOut, capfd: pytest.CaptureFixture[str]) -> None:
    last.say()
    assert capfd.readouterr().err == ""
    last.tuned = {"server": True, "client1": True}
    last.say()
    said = capfd.readouterr().err.replace("\n", " ")
    assert "the kernel of server, client1 is still tuned" in said
    assert "ansible-playbook -i '/a place/lab' -i /b -K playbooks/restore.yml" in said


@pytest.mark.parametrize("is_begun", [True, False])
def test_it_says_how_a_run_that_had_begun_goes_on(
    last: WayOut, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_begun: bool
) -> None:
    monkeypatch.setattr("plugins.callback.c10k_way_out.ROOT", tmp_path)
    last.tuned, last.run = {"server": True}, "20261122T190312Z-3f9a1c"
    if is_begun:
        (tmp_path / "results" / last.run).mkdir(parents=True)
        (tmp_path / "results" / last.run / "plan.yml").touch()
    last.say()
    said = capfd.readouterr().err.replace("\n", " ")
    assert ("-i /b -K run_benchmark.yml -e run=20261122T190312Z-3f9a1c" in said) == is_begun


def test_it_wakes_what_holds_the_locks(last: WayOut) -> None:
    last.wake()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as holder:
        last.holder = os.pidfd_open(holder.pid)
        os.kill(holder.pid, signal.SIGSTOP)
        try:
            line.eventually("stopped", lambda: state(holder.pid) == "T", 10)
            last.wake()
            line.eventually("awake", lambda: state(holder.pid) != "T", 10)
        finally:
            holder.kill()
    last.wake()  # where it has ended meanwhile


def state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]
