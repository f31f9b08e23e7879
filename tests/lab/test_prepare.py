"""Check mode first, then prepare, then prepare again; judged by an auditor that shares no code with the playbooks.

Some strategies need packages, and the hosts have no network: the controller unpacks them, the server host gets a copy.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import line

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]

HOSTS = ("server", "client1", "client2", "client3")
BASE = Path("/var/lib/c10k-lab")
REQUEST: dict[str, Any] = {"connections": 10000, "strategy": "epoll,uvloop,gevent,trio"}
# What the kernel itself changes from one second to the next, or what merely tells the time.
RESTLESS = (
    "fs.dentry-state", "fs.inode-nr", "fs.inode-state", "fs.file-nr", "kernel.ns_last_pid", "kernel.random.",
    "kernel.pty.nr", "net.netfilter.nf_conntrack_count",
)  # fmt: skip


def audit() -> dict[str, str]:
    """Every file of the project on the hosts, with times, owner, mode and size; every sysctl of every host."""
    found = {}
    for host in HOSTS:
        listed = subprocess.run(
            ["find", str(BASE / host), "-printf", "%p %T@ %C@ %u %m %s\n"], capture_output=True, text=True, check=False
        ).stdout
        for text in listed.splitlines():
            path, _, rest = text.partition(" ")
            found[path] = rest
        sysctls = subprocess.run(
            ["ip", "netns", "exec", f"c10k-{host}", "sysctl", "-a"], capture_output=True, text=True, check=True
        ).stdout
        for text in sysctls.splitlines():
            key, _, value = text.partition(" = ")
            if not key.startswith(RESTLESS):
                found[f"{host}: {key}"] = value
    return found


def changed(output: str) -> dict[str, int]:
    """The recap's `changed` of each host."""
    recap = output.partition("PLAY RECAP")[2].splitlines()[1:]
    return {text.split()[0]: int(text.partition("changed=")[2].split()[0]) for text in recap if "changed=" in text}


def prepare(*words: str) -> str:
    result = line.play("playbooks/prepare.yml", "lab", more=words, **REQUEST)
    assert result.returncode == 0, result.stdout
    return result.stdout


def difference(one: dict[str, str], other: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    return {key: (one.get(key), other.get(key)) for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def test_check_then_prepare_then_prepare_again_then_restore() -> None:
    assert line.play("playbooks/restore.yml", "lab", purge=True).returncode == 0
    virgin = audit()
    assert not any(path.startswith(str(BASE)) and "/app" in path for path in virgin)

    said = prepare("--check", "--diff")
    assert "somaxconn" in said
    assert not difference(virgin, audit()), "check mode changed something"

    first = changed(prepare())
    assert all(first[host] > 0 for host in HOSTS)
    prepared = audit()
    assert prepared["client1: net.core.somaxconn"] == "65535"
    assert str(BASE / "client1/app/loadgen") in prepared
    packages = str(BASE / "server/app/packages-cp3")
    assert any(path.startswith(packages) and path.endswith("/trio/__init__.py") for path in prepared)

    again = changed(prepare())
    assert {host: again[host] for host in HOSTS} == dict.fromkeys(HOSTS, 0)
    assert not difference(prepared, audit()), "a second prepare changed something"

    restored = line.play("playbooks/restore.yml", "lab")
    assert restored.returncode == 0, restored.stdout
    assert not {key for key in difference(virgin, audit()) if ": " in key}, "a sysctl was not put back"
    assert set(changed(line.play("playbooks/restore.yml", "lab").stdout).values()) == {0}

    assert line.play("playbooks/restore.yml", "lab", purge=True).returncode == 0
    assert not list(BASE.glob("*/app"))
