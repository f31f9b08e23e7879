"""One run at a time on a kernel: a second one is refused, changes nothing, and knows who has the hosts."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from tests import line

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]

NOTICE = Path("/run/c10k.lock")


def somaxconn() -> list[str]:
    return [
        subprocess.run(
            ["ip", "netns", "exec", f"c10k-{host}", "cat", "/proc/sys/net/core/somaxconn"], text=True,
            capture_output=True, check=True,
        ).stdout.strip()
        for host in ("server", "client1", "client2", "client3")
    ]  # fmt: skip


def test_a_second_run_is_refused_and_the_first_ends_well(tmp_path: Path) -> None:
    asked = {**line.SMALL, "duration": 45, "rate": 300}
    first = line.start_and_wait_for_load("lab", tmp_path / "out", **asked)
    second = line.play("run_benchmark.yml", "lab", **line.SMALL)
    assert second.returncode != 0
    assert f"is in use by run {first.run.name} (process " in second.stdout, second.stdout
    assert "Traceback" not in second.stdout
    restored = line.play("playbooks/restore.yml", "lab")
    assert restored.returncode != 0
    assert f"Nothing is put back, since the host is in use by run {first.run.name}" in restored.stdout
    assert somaxconn() == ["65535"] * 4, "somebody restored a host in mid-load"
    assert first.end(120) == 0, first.text()
    (trial,) = line.trials(first.run)
    assert trial["outcome"] == "ok"
    assert somaxconn() == ["4096"] * 4
    assert not any(host["moved"] for host in line.manifest(first.run)["tuning"].values())


def test_after_a_run_that_was_killed_the_hosts_are_free(tmp_path: Path) -> None:
    killed = line.start_and_wait_for_load("lab", tmp_path / "out", **{**line.SMALL, "duration": 60, "rate": 300})
    killed.process.kill()
    killed.process.wait()
    restored = line.play("playbooks/restore.yml", "lab")
    assert restored.returncode == 0, restored.stdout
    assert somaxconn() == ["4096"] * 4


def test_who_locks_it_can_refuse_a_run_and_no_more() -> None:
    assert line.play("playbooks/restore.yml", "lab").returncode == 0
    assert NOTICE.stat().st_mode & 0o777 == 0o644
    with NOTICE.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = line.play("run_benchmark.yml", "lab", **line.SMALL)
    assert refused.returncode != 0
    assert f"is in use by another program (process {os.getpid()} there)" in refused.stdout, refused.stdout
    assert somaxconn() == ["4096"] * 4


def test_a_value_that_moves_in_mid_run_is_told(tmp_path: Path) -> None:
    run = line.start_and_wait_for_load("lab", tmp_path / "out", **{**line.SMALL, "duration": 8})
    subprocess.run(["ip", "netns", "exec", "c10k-server", "sysctl", "-qw", "net.core.somaxconn=777"], check=True)
    assert run.end(120) == 0, run.text()
    try:
        assert somaxconn() == ["777", "4096", "4096", "4096"]
        assert "net.core.somaxconn is 777" in run.text()
        (moved,) = line.manifest(run.run)["tuning"]["server"]["moved"]
        assert moved == {"key": "net.core.somaxconn", "set": "65535", "found": "777"}
        assert "DT11" in line.analysis("check", str(run.run)).stdout
    finally:
        subprocess.run(["ip", "netns", "exec", "c10k-server", "sysctl", "-qw", "net.core.somaxconn=4096"], check=True)
