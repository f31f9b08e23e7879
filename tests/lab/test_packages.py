"""Strategies that need a package, on a host that has no network: the controller unpacks, the host gets a copy."""

from pathlib import Path
from typing import Any

import pytest

from tests import line

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]

HOME = Path("/var/lib/c10k-lab/server")


def play(name: str, **variables: Any) -> str:
    result = line.play(name, "lab", **variables)
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_a_run_brings_the_packages_and_a_purge_takes_them_away() -> None:
    play("playbooks/restore.yml", purge=True)
    small = {**line.SMALL, "strategy": "epoll,uvloop,gevent,trio", "tune": "off", "calibrate": False}
    play("run_benchmark.yml", **small)
    run = line.newest()
    assert run
    assert {trial["strategy"]: trial["outcome"] for trial in line.trials(run)} == dict.fromkeys(
        ("epoll", "uvloop", "gevent", "trio"), "ok"
    )
    assert (HOME / "app/packages/trio/__init__.py").exists()

    again = play("playbooks/prepare.yml", **small)
    recap = again.partition("PLAY RECAP")[2]
    assert "changed=0" in next(text for text in recap.splitlines() if text.startswith("server "))

    play("playbooks/restore.yml", purge=True)
    assert not (HOME / "app").exists()
