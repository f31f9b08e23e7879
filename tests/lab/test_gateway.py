"""Many hosts behind one gateway, whose sshd drops what logs in beside ten others (MaxStartups 10:30:100, its default).

In CI more clients than that; C10K_GATEWAY_CLIENTS=32 for as many as the lab holds.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import line
from tests.contract.test_conductor_ssh import Sshd, keygen, sshd

__all__ = ["sshd"]
pytestmark = pytest.mark.lab

CLIENTS = int(os.environ.get("C10K_GATEWAY_CLIENTS", "12"))
LAB = line.ROOT / "inventory/lab"


@pytest.fixture
def behind(lab: None, sshd: Sshd, tmp_path: Path) -> Iterator[Path]:
    """The lab's inventory where each host is reached through the gateway alone, which has a key of its own."""
    made = line.play("playbooks/lab.yml", "local", 300, lab_state="present", lab_clients=CLIENTS)
    assert made.returncode == 0, made.stdout
    gateway = sshd.directory / "gateway"
    place = tmp_path / "behind"
    shutil.copytree(LAB, place)
    config = place / ".ssh/ssh_config"
    text = config.read_text().replace(str(LAB), str(place))
    way = f"Host gateway\n    HostName 127.0.0.1\n    Port {sshd.port}\n    IdentityFile {gateway}\n"
    config.write_text(f"{way}{text}Match host 198.18.*\n    ProxyJump gateway\n")
    with (place / ".ssh/known_hosts").open("a") as file:
        file.write(sshd.good + "\n")
    try:
        yield place
    finally:
        assert line.play("playbooks/lab.yml", "local", 300, lab_state="present", lab_clients=3).returncode == 0


@pytest.fixture(scope="module", autouse=True)
def strict(sshd: Sshd) -> None:
    """The gateway takes its own key and has the default of MaxStartups."""
    assert "MaxStartups 10:30:100" in (sshd.directory / "sshd_config").read_text()
    (sshd.directory / "authorized_keys").write_text(keygen(sshd.directory / "gateway") + "\n")


def test_all_hosts_behind_a_gateway_take_part(behind: Path, sshd: Sshd) -> None:
    reached = subprocess.run(
        ["ssh", "-F", str(behind / ".ssh/ssh_config"), "client1", "true"],
        capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert reached.returncode == 0, reached.stderr
    before = accepted(sshd)
    asked = {**line.SMALL, "connections": 50 * CLIENTS, "duration": 1, "arm_timeout": 120}
    ended = line.play("run_benchmark.yml", str(behind), 900, **asked)
    assert ended.returncode == 0, ended.stdout
    run = line.newest()
    assert run and [trial["outcome"] for trial in line.trials(run)] == ["ok"]
    assert len(line.manifest(run)["hosts"]) == CLIENTS + 1
    assert accepted(sshd) - before >= CLIENTS + 1, "the hosts were reached past the gateway, so this proves nothing"


def accepted(sshd: Sshd) -> int:
    return (sshd.directory / "log").read_text().count("Accepted publickey")
