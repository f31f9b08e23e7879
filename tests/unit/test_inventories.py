"""The inventories of the project: Ansible reads them without a word, and every host has what a run needs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def test_ansible_and_the_conductor_get_the_same_files_and_check_host_keys_on_one_vm() -> None:
    for host, variables in read("vagrant")["_meta"]["hostvars"].items():
        arguments = variables["ansible_ssh_common_args"]
        assert "/.ssh/ssh_config" in arguments, host
        assert "/.ssh/known_hosts" in arguments, host
        assert "StrictHostKeyChecking=yes" in arguments, host


def test_the_example_names_known_hosts_where_a_gateway_too_reads_it() -> None:
    hosts = read("cluster.example")["_meta"]["hostvars"]
    assert {"-F", "-o"} & set(hosts["server"]["ansible_ssh_common_args"].split()) == {"-F"}
    config = line.ROOT / "inventory/cluster.example/.ssh/ssh_config"
    for host in (*hosts, "gateway"):
        said = subprocess.run(["ssh", "-F", config, "-G", host], text=True, capture_output=True, check=True).stdout
        options = dict(text.split(" ", 1) for text in said.splitlines())
        assert options["userknownhostsfile"].endswith("/.ssh/known_hosts_c10k"), host
        assert options["stricthostkeychecking"] in ("yes", "true"), host


def test_ones_own_machines_are_not_git_s_business() -> None:
    command = [
        "git",
        "check-ignore",
        "inventory/cluster/hosts.yml",
        "inventory/cluster-2/x",
        "inventory/cluster.example/x",
    ]
    done = subprocess.run(command, cwd=line.ROOT, text=True, capture_output=True, check=False)
    assert done.stdout.split() == ["inventory/cluster/hosts.yml", "inventory/cluster-2/x"]


def test_what_docs_hosts_md_says_of_a_cloud_makes_the_groups_from_tags(tmp_path: Path) -> None:
    """The same expressions in `constructed`, of ansible-core, on hosts as the plugin of the cloud describes them."""
    page = (line.ROOT / "docs/hosts.md").read_text()
    block = page[page.index("    plugin: amazon.aws.aws_ec2") :].partition("\n\n")[0]
    ours = {key: value for key, value in yaml.safe_load(block).items() if key in ("groups", "compose")}
    tags = {"a": {"role": "server"}, "b": {"role": "client"}, "c": {"role": "client", "weight": "3"}}
    hosts = {
        name: {
            "tags": of, "private_ip_address": f"10.0.1.1{n}",
            "network_interfaces": [
                {"attachment": {"device_index": 1}, "private_ip_address": f"10.0.2.1{n}"},
                {"attachment": {"device_index": 0}, "private_ip_address": f"10.0.1.1{n}"},
            ],
        }
        for n, (name, of) in enumerate(tags.items())
    }  # fmt: skip
    (tmp_path / "1.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    (tmp_path / "2.yml").write_text(yaml.safe_dump({"plugin": "ansible.builtin.constructed", "strict": True, **ours}))
    command = [str(line.BIN / "ansible-inventory"), "-i", str(tmp_path), "--list"]
    done = subprocess.run(command, cwd=line.ROOT, env=line.environment(), text=True, capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert {group: found[group]["hosts"] for group in ("c10k", "c10k_server", "c10k_clients")} == {
        "c10k": ["a", "b", "c"], "c10k_server": ["a"], "c10k_clients": ["b", "c"],
    }  # fmt: skip
    variables = found["_meta"]["hostvars"]
    assert [variables[name]["c10k_load_address"] for name in hosts] == ["10.0.2.10", "10.0.2.11", "10.0.2.12"]
    assert variables["a"]["ansible_host"] == "10.0.1.10"
    assert str(variables["c"]["c10k_weight"]) == "3"
