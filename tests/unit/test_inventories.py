"""The inventories of the project: Ansible reads them without a word, and every host has what a run needs."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import line

NAMES = [name for name in ("local", "vagrant", "cluster.example") if (line.ROOT / "inventory" / name).is_dir()]


def read(name: str) -> dict[str, Any]:
    command = [str(line.BIN / "ansible-inventory"), "-i", f"inventory/{name}", "--list"]
    result = subprocess.run(
        command, cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, timeout=60, check=True
    )
    assert result.stderr == ""
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize("name", NAMES)
def test_groups_and_variables(name: str) -> None:
    inventory = read(name)
    servers, clients = (inventory[group]["hosts"] for group in ("c10k_server", "c10k_clients"))
    assert len(servers) == 1
    assert len(clients) == 3
    assert set(inventory["c10k"]["children"]) == {"c10k_server", "c10k_clients"}
    addresses = set()
    for host in [*servers, *clients]:
        variables = inventory["_meta"]["hostvars"][host]
        assert variables["c10k_base"]
        addresses.add(variables["c10k_load_address"])
    assert len(addresses) == 4


@pytest.mark.parametrize("name", [name for name in NAMES if name != "local"])
def test_ansible_and_the_conductor_get_the_same_files_and_check_host_keys(name: str) -> None:
    for host, variables in read(name)["_meta"]["hostvars"].items():
        arguments = variables["ansible_ssh_common_args"]
        assert "/.ssh/ssh_config" in arguments, host
        assert "/.ssh/known_hosts" in arguments, host
        assert "StrictHostKeyChecking=yes" in arguments, host


if shutil.which("vagrant"):  # elsewhere there is nothing to check it with

    def test_vagrant_accepts_the_vagrantfile(tmp_path: Path) -> None:
        environment = {**os.environ, "VAGRANT_HOME": str(tmp_path / "home"), "VAGRANT_CWD": str(line.ROOT)}
        environment["VAGRANT_DOTFILE_PATH"] = str(tmp_path / "dot")
        result = subprocess.run(
            ["vagrant", "validate", "--ignore-provider"],
            cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
