"""A host whose SSH user is not root: an sshd of its own in the network of client1, with a passwd and sudoers of its own
in its own mounts. The lab must stand."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import line

USER, UID, PORT, ADDRESS = "c10kbench", 42_424, 2222, "198.18.0.11"
BASE = Path("/var/lib/c10k-bench")
RUN = {**line.SMALL, "tune": "required", "connections": 200, "rate": 200, "duration": 1}
HOSTS = f"""\
c10k:
  vars:
    ansible_ssh_common_args: -F {{directory}}/ssh_config
    ansible_python_interpreter: /usr/bin/python3
    c10k_base: {BASE}
  children:
    c10k_server:
      hosts:
        server: {{{{ansible_host: bench, c10k_load_address: {ADDRESS}{{variables}}}}}}
    c10k_clients:
      hosts:
        client1: {{{{ansible_host: bench, c10k_load_address: {ADDRESS}}}}}
"""
SSHD = """\
Port {port}
ListenAddress {address}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
"""
SSH = """\
Host bench
  HostName {address}
  Port {port}
  User {user}
  IdentityFile {directory}/key
  IdentitiesOnly yes
  UserKnownHostsFile {directory}/known_hosts
  GlobalKnownHostsFile /dev/null
"""


@dataclass
class Bench:
    directory: Path
    hosts: str = "hosts.yml"

    @property
    def inventory(self) -> str:
        return str(self.directory / self.hosts)

    def play(self, name: str, **variables: Any) -> "subprocess.CompletedProcess[str]":
        return line.play(name, self.inventory, **variables)

    def as_user(self, script: str) -> str:
        command = ["ssh", "-F", str(self.directory / "ssh_config"), "bench", script]
        return subprocess.run(
            command, text=True, capture_output=True, check=True, timeout=60, stdin=subprocess.DEVNULL
        ).stdout


def accounts(directory: Path, users: Mapping[str, int], sudoers: str) -> list[tuple[Path, str]]:
    """Copies of the files that know accounts, with more of them; and what each is bound over."""
    more = {
        "passwd": "".join(f"{name}:x:{uid}:{uid}::{directory}/home-{name}:/bin/sh\n" for name, uid in users.items()),
        "group": "".join(f"{name}:x:{uid}:\n" for name, uid in users.items()),
        "shadow": "".join(f"{name}:*:19000::::::\n" for name in users),
    }
    found = []
    for name, text in more.items():
        copy = directory / name
        shutil.copy2(f"/etc/{name}", copy)
        copy.write_text(copy.read_text() + text)
        found.append((copy, f"/etc/{name}"))
    rights = directory / "sudoers"
    rights.write_text(f"Defaults !requiretty\n{sudoers}\n")
    rights.chmod(0o440)
    return [*found, (rights, "/etc/sudoers")]


@contextmanager
def ordinary_host(
    sudoers: str = f"{USER} ALL=(root) NOPASSWD: ALL", others: Mapping[str, int] | None = None, variables: str = ""
) -> Iterator[Bench]:
    """`sudoers` is what it says there, `others` are accounts beside the SSH user, `variables` more of the server's."""
    users = {USER: UID, **(others or {})}
    for name in users:
        with pytest.raises(KeyError):
            pwd.getpwnam(name)
    assert not BASE.exists()
    directory = Path(tempfile.mkdtemp(prefix="c10k-bench-"))
    directory.chmod(0o755)
    for name, uid in users.items():
        home = directory / f"home-{name}"
        home.mkdir(mode=0o755)
        os.chown(home, uid, uid)
    for key in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / key)], check=True)
    words = {"directory": directory, "port": PORT, "address": ADDRESS, "user": USER, "variables": variables}
    (directory / "authorized_keys").write_text((directory / "key.pub").read_text())
    host_key = " ".join((directory / "host_key.pub").read_text().split()[:2])
    (directory / "known_hosts").write_text(f"[{ADDRESS}]:{PORT} {host_key}\n")
    (directory / "sshd_config").write_text(SSHD.format(**words))
    (directory / "ssh_config").write_text(SSH.format(**words))
    (directory / "hosts.yml").write_text(HOSTS.format(**words))
    bound = "".join(f"mount --bind {copy} {place} && " for copy, place in accounts(directory, users, sudoers))
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    command = f"{bound}exec {sshd} -D -e -f {directory}/sshd_config"
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", "c10k-client1", "unshare", "-m", "sh", "-c", command], stderr=log
        )
    one = Bench(directory)
    try:
        line.eventually("sshd answers", lambda: "bench" in answer(one), 20)
        yield one
        assert one.play("playbooks/restore.yml", purge=True).returncode == 0
        assert not BASE.exists(), "purge left what root had made"
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(directory)
        shutil.rmtree(BASE, ignore_errors=True)


def answer(one: Bench) -> str:
    try:
        return one.as_user("id -un")
    except subprocess.CalledProcessError:
        return ""


def somaxconn() -> str:
    command = ["ip", "netns", "exec", "c10k-client1", "cat", "/proc/sys/net/core/somaxconn"]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout.strip()
