"""Vagrant's machines: what the Vagrantfile writes of them when, and which hosts inventory/vagrant makes of it.

No machine is booted here; tests/vagrant does that, by hand.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conductor.openssh import Target, resolve
from tests import line

STUB = Path(__file__).with_name("vagrant_stub.rb")
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIDajWdrOe5FEPjPkLg8Q/5cLhAZztZiowyoZViCXyWUv"
CLUSTER = ["server", "client1", "client2", "client3"]

pytestmark = pytest.mark.skipif(
    shutil.which("vagrant") is None or shutil.which("ruby") is None,
    reason="needs vagrant and ruby: script/bootstrap installs them as root on Debian",
)


@dataclass
class Checkout:
    """Its Vagrantfile and its inventory, in a path that has what paths may have."""

    root: Path

    @property
    def ssh(self) -> Path:
        return self.root / "inventory/vagrant/.ssh"

    def vagrant(self, action: str, *machines: str, address: str = "192.168.121.203", made: int = 1, **env: str) -> Any:
        """Fire the triggers after an action; the names of all machines that the Vagrantfile defines."""
        words = [word for name in machines for word in (name, address, f"{name}-{made}")]
        command = ["ruby", str(STUB), str(self.root / "Vagrantfile"), action, *words]
        ended = subprocess.run(command, env={**os.environ, **env}, text=True, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def ansible(self, program: str, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [str(line.BIN / program), "-i", str(self.root / "inventory/vagrant"), *words]
        return subprocess.run(
            command, cwd=line.ROOT, env=line.environment(), text=True, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=120, check=False,
        )  # fmt: skip

    def hosts(self) -> dict[str, tuple[str, str]]:
        """Machine and load address of each host."""
        listed = json.loads(self.ansible("ansible-inventory", "--list").stdout)
        found = listed["_meta"]["hostvars"]
        if found:
            assert listed["c10k_server"]["hosts"] == ["server"]
            assert sorted(["server", *listed["c10k_clients"]["hosts"]]) == sorted(found)
        return {name: (of["ansible_host"], of["c10k_load_address"]) for name, of in found.items()}

    def refusal(self) -> str:
        ended = self.ansible("ansible-playbook", "run_benchmark.yml", "-e", "strategy=poll")
        assert ended.returncode == 2, ended.stdout
        found = re.findall(r"^\[ERROR\]: (.+)", ended.stdout + ended.stderr, re.MULTILINE)
        assert len(found) == 1, ended.stdout
        return str(found[0])


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "ein Prüfstand, 50%"
    ignored = shutil.ignore_patterns(".ssh")
    shutil.copytree(line.ROOT / "inventory/vagrant", root / "inventory/vagrant", ignore=ignored)
    shutil.copy(line.ROOT / "Vagrantfile", root)
    return Checkout(root)


def test_without_a_machine_a_run_is_refused_by_one_sentence_with_the_command(checkout: Checkout) -> None:
    assert checkout.hosts() == {}
    assert "`vagrant up`" in checkout.refusal()


def test_one_machine_plays_all_hosts_each_client_from_its_own_address(checkout: Checkout) -> None:
    assert checkout.vagrant("up", "lab") == ["lab"]
    assert checkout.hosts() == {
        "server": ("lab", "127.0.0.1"), "client1": ("lab", "127.0.0.11"), "client2": ("lab", "127.0.0.12"),
        "client3": ("lab", "127.0.0.13"),
    }  # fmt: skip


def test_four_machines_are_four_hosts_and_stay_so_without_the_variable(checkout: Checkout) -> None:
    assert checkout.vagrant("up", *CLUSTER, C10K_CLIENTS="3") == CLUSTER
    assert checkout.hosts() == {name: (name, f"192.168.56.1{n}") for n, name in enumerate(CLUSTER)}
    assert checkout.vagrant("halt", "client3") == CLUSTER
    assert set(checkout.hosts()) == {"server", "client1", "client2"}
    assert checkout.vagrant("destroy", *CLUSTER) == CLUSTER
    assert checkout.vagrant("up") == ["lab"]


def test_one_machine_beside_others_is_refused(checkout: Checkout) -> None:
    checkout.vagrant("up", "lab", *CLUSTER)
    assert "`vagrant destroy NAME`" in checkout.refusal()


@pytest.mark.parametrize("given", ["0", "101", "three", "3 ", ""])
def test_a_wrong_number_of_clients_is_refused_by_one_sentence(given: str, tmp_path: Path) -> None:
    ended = vagrant_validate(tmp_path, C10K_CLIENTS=given)
    assert ended.returncode != 0
    assert f"C10K_CLIENTS is the number of client machines, 1 to 100, and not '{given}'." in ended.stderr
    assert "Vagrantfile:" not in ended.stderr


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_what_the_vagrantfile_writes_leads_ssh_and_the_conductor_to_the_machine(
    checkout: Checkout, locale: str
) -> None:
    checkout.vagrant("up", "lab", address="127.0.0.1", LC_ALL=locale)
    assert {path.stat().st_mode & 0o777 for path in checkout.ssh.rglob("*_*")} == {0o600}
    target = conductors_target(checkout)
    assert (target.host, target.port, target.user) == ("127.0.0.1", 22, "vagrant")
    assert target.identity_files == (checkout.root / ".vagrant/machines/lab/50%/private_key",)
    assert target.identities_only
    assert [known.base64 for known in target.known_keys] == [KEY]
    assert target.connect_s == 30


def conductors_target(checkout: Checkout) -> Target:
    """Where the conductor would connect, by what Ansible tells of its own way there. The key is not there, so nobody
    logs in."""
    said = checkout.ansible("ansible-playbook", "-v", "playbooks/look.yml").stdout
    found = re.search(r"^ok: \[server\] => (\{.*\})$", said, re.MULTILINE)
    assert found, said
    way = json.loads(found[1])["ssh"]
    return resolve(way["name"], way["args"])


def test_the_host_key_is_asked_for_once_for_each_machine_that_is_made(checkout: Checkout) -> None:
    known = checkout.ssh / "lab/known_hosts"
    checkout.vagrant("up", "lab")
    line_of_first = known.read_text()
    assert line_of_first == f"c10k-lab ssh-ed25519 {KEY} lab-1\n"
    known.write_text(kept := line_of_first.replace(KEY, "AAAA"))
    checkout.vagrant("halt", "lab")
    checkout.vagrant("up", "lab", address="192.168.121.36")
    assert known.read_text() == kept
    assert "HostName 192.168.121.36\n" in (checkout.ssh / "lab/ssh_config").read_text()
    checkout.vagrant("reload", "lab", made=2)
    assert known.read_text() == line_of_first.replace("lab-1", "lab-2")


def test_vagrant_accepts_the_vagrantfile(tmp_path: Path) -> None:
    for clients in ({}, {"C10K_CLIENTS": "3"}):
        ended = vagrant_validate(tmp_path, **clients)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def vagrant_validate(tmp_path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    environment |= {"VAGRANT_HOME": str(tmp_path / "home"), "VAGRANT_CWD": str(line.ROOT)}
    environment |= {"VAGRANT_DOTFILE_PATH": str(tmp_path / "dot")}
    return subprocess.run(
        ["vagrant", "validate", "--ignore-provider"], cwd=tmp_path, env={**os.environ, **environment},
        stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
