"""What a user can get wrong: one sentence, before any load, exit non-zero, no traceback."""

import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import line


def refused(result: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert result.returncode != 0, result.stdout
    assert "Traceback" not in result.stdout, result.stdout
    for word in words:
        assert word in result.stdout, result.stdout


TOGETHER: dict[str, tuple[Any, list[str]]] = {
    "strategy": ("epol", ["epol", "epoll", "select", "workers"]),
    "connections": ("ten", ["connections", "ten", "whole number"]),
    "rate": ("0", ["rate", "0", "takes 1 to"]),
    "conections": ("100", ["conections", "connections"]),
    "payload_bytes": ("8", ["payload_bytes", "32"]),
    "workload": ("opne", ["opne", "open", "churn"]),
    "warmup": ("1.5", ["warmup", "whole"]),
    "arrival": ("poison", ["poison", "poisson"]),
    "tune": ("maybe", ["maybe", "auto"]),
    "timeout": ("0", ["timeout"]),
    "repetitions": ("three", ["repetitions", "three"]),
}
"""Wrong values, and the words of the sentence about each."""


@pytest.fixture(scope="module")
def refused_together() -> list[str]:
    """The sentences about all of them, from one command."""
    before = line.newest()
    result = line.play("run_benchmark.yml", "local", **{name: value for name, (value, _) in TOGETHER.items()})
    refused(result)
    assert line.newest() == before
    return re.split(r"(?<=[.?]) ", result.stdout)


@pytest.mark.parametrize("name", TOGETHER)
def test_every_mistake_has_a_sentence(refused_together: list[str], name: str) -> None:
    words = TOGETHER[name][1]
    assert any(all(word in sentence for word in words) for sentence in refused_together), refused_together


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"connections": "-1"}, ["connections", "-1", "takes 1 to"]),
        ({"active": "200", "connections": "100"}, ["active", "connections"]),
        ({"server_port": "40000"}, ["40000", "ephemeral"]),
        ({"server_cpus": "9999"}, ["server_cpus", "9999"]),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence(given: dict[str, Any], words: list[str]) -> None:
    before = line.newest()
    refused(line.play("run_benchmark.yml", "local", **given), *words)
    assert line.newest() == before


def test_no_clients(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        "c10k: {children: {c10k_server: {hosts: {server: {ansible_connection: local}}}, c10k_clients: {hosts: {}}}}\n"
    )
    refused(line.play("run_benchmark.yml", str(inventory)), "c10k_clients")


def inventory_with(tmp_path: Path, client: str) -> Path:
    """inventory/local with one more client of the given variables."""
    copy = tmp_path / "inventory"
    shutil.copytree(line.ROOT / "inventory/local", copy)
    (copy / "zz-more.yml").write_text(f"c10k_clients: {{hosts: {{odd: {{{client}}}}}}}\n")
    return copy


def test_an_unreachable_host(tmp_path: Path) -> None:
    client = "ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1, c10k_load_address: 127.0.0.19"
    refused(line.play("run_benchmark.yml", str(inventory_with(tmp_path, client)), **line.SMALL), "odd", "reach")


def test_a_client_without_python(tmp_path: Path) -> None:
    client = "ansible_connection: local, ansible_python_interpreter: /nowhere/python3, c10k_load_address: 127.0.0.19"
    refused(line.play("run_benchmark.yml", str(inventory_with(tmp_path, client)), **line.SMALL), "odd", "Python")


def test_a_port_in_use() -> None:
    before = line.newest()
    with socket.create_server(("127.0.0.1", 9000)):
        refused(line.play("run_benchmark.yml", "local", **line.SMALL), "9000", "in use")
    assert line.newest() == before


def test_more_connections_than_descriptors_allow() -> None:
    refused(line.play("run_benchmark.yml", "local", **{**line.SMALL, "connections": 3_000_000}), "descriptors")


@pytest.mark.lab
@pytest.mark.usefixtures("lab")
def test_more_connections_than_ports_allow() -> None:
    subprocess.run(
        ["ip", "netns", "exec", "c10k-client1", "sysctl", "-qw", "net.ipv4.ip_local_port_range=32768 32867"], check=True
    )
    try:
        refused(line.play("run_benchmark.yml", "lab", **{**line.SMALL, "tune": "off"}), "ports", "client1")
    finally:
        subprocess.run(
            ["ip", "netns", "exec", "c10k-client1", "sysctl", "-qw", "net.ipv4.ip_local_port_range=32768 60999"],
            check=True,
        )


@pytest.mark.lab
@pytest.mark.usefixtures("lab")
def test_a_changed_host_key(tmp_path: Path) -> None:
    copy = tmp_path / "lab"
    shutil.copytree(line.ROOT / "inventory/lab", copy)
    (config,) = copy.glob("**/ssh_config")
    (known,) = copy.glob("**/known_hosts")
    config.write_text(config.read_text().replace(str(line.ROOT / "inventory/lab"), str(copy)))
    lines = known.read_text().splitlines()
    changed = [text for text in lines if "198.18.0.12" not in text and "client2" not in text]
    other = next(text for text in lines if "198.18.0.11" in text or "client1" in text).split()
    known.write_text("\n".join([*changed, " ".join(["198.18.0.12,client2", *other[1:]])]) + "\n")
    refused(line.play("run_benchmark.yml", str(copy), **line.SMALL), "client2", "key")


def test_a_system_ansible_without_our_packages() -> None:
    """The venv's Ansible without the path file that makes the checkout importable: what a system's would see."""
    isolated = f"import sys; sys.path = [p for p in sys.path if p not in ('', {str(line.ROOT)!r})]; "
    isolated += "from ansible.cli.playbook import main; main(['ansible-playbook', 'run_benchmark.yml'])"
    result = subprocess.run(
        [str(line.BIN / "python"), "-c", isolated],
        cwd=line.ROOT, env=line.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=60, check=False,
    )  # fmt: skip
    refused(result, ".venv/bin/activate", "script/bootstrap")
