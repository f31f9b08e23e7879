"""The inventories of the project: Ansible reads them without a word, and every host has what a run needs."""

import json
import subprocess
from typing import Any

import pytest

from tests import line

NAMES = ("local", "cluster.example")  # that of Vagrant's machines: test_vagrant.py


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
