"""A host whose SSH user is not root and may become it: what he, and so the measured server, can plant reaches nothing.

The host is an sshd of its own in the network of client1, with a passwd and sudoers of its own in its own mounts.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.c10k_host import start_ticks
from tests import line

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lab")]

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
        server: {{{{ansible_host: bench, c10k_load_address: {ADDRESS}}}}}
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

    @property
    def inventory(self) -> str:
        return str(self.directory / "hosts.yml")

    def play(self, name: str, **variables: Any) -> "subprocess.CompletedProcess[str]":
        return line.play(name, self.inventory, **variables)

    def as_user(self, script: str) -> str:
        command = ["ssh", "-F", str(self.directory / "ssh_config"), "bench", script]
        return subprocess.run(
            command, text=True, capture_output=True, check=True, timeout=60, stdin=subprocess.DEVNULL
        ).stdout


def accounts(directory: Path) -> list[tuple[Path, str]]:
    """Copies of the files that know accounts, with one more; and what each is bound over."""
    more = {
        "passwd": f"{USER}:x:{UID}:{UID}::{directory}/home:/bin/sh\n", "group": f"{USER}:x:{UID}:\n",
        "shadow": f"{USER}:*:19000::::::\n",
    }  # fmt: skip
    found = []
    for name, text in more.items():
        copy = directory / name
        shutil.copy2(f"/etc/{name}", copy)
        copy.write_text(copy.read_text() + text)
        found.append((copy, f"/etc/{name}"))
    rights = directory / "sudoers"
    rights.write_text(f"Defaults !requiretty\n{USER} ALL=(root) NOPASSWD: ALL\n")
    rights.chmod(0o440)
    return [*found, (rights, "/etc/sudoers")]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with pytest.raises(KeyError):
        pwd.getpwnam(USER)
    assert not BASE.exists()
    directory = Path(tempfile.mkdtemp(prefix="c10k-bench-"))
    directory.chmod(0o755)
    home = directory / "home"
    home.mkdir()
    os.chown(home, UID, UID)
    for key in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / key)], check=True)
    words = {"directory": directory, "port": PORT, "address": ADDRESS, "user": USER}
    (directory / "authorized_keys").write_text((directory / "key.pub").read_text())
    host_key = " ".join((directory / "host_key.pub").read_text().split()[:2])
    (directory / "known_hosts").write_text(f"[{ADDRESS}]:{PORT} {host_key}\n")
    (directory / "sshd_config").write_text(SSHD.format(**words))
    (directory / "ssh_config").write_text(SSH.format(**words))
    (directory / "hosts.yml").write_text(HOSTS.format(**words))
    bound = "".join(f"mount --bind {copy} {place} && " for copy, place in accounts(directory))
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


def test_a_whole_run_tunes_and_restores_and_runs_nothing_of_ours_as_root(bench: Bench) -> None:
    done = bench.play("run_benchmark.yml", **RUN)
    assert done.returncode == 0, done.stdout
    run = line.newest()
    assert run
    keys = line.manifest(run)["tuning"]["client1"]["keys"] + line.manifest(run)["tuning"]["server"]["keys"]
    assert "set" in {entry["status"] for entry in keys}
    assert somaxconn() == "4096"
    assert not Path("/run/c10k").exists()
    owners = {path.stat().st_uid for path in BASE.rglob("*") if path.is_file()}
    assert owners == {UID}


def test_what_the_user_plants_reaches_nothing_of_roots(bench: Bench) -> None:
    victim = bench.directory / "victim"
    (victim / "kept").mkdir(parents=True)
    (victim / "kept/file").write_text("root's\n")
    with subprocess.Popen(["sleep", "120"]) as roots:
        try:
            assert bench.play("playbooks/prepare.yml", **RUN).returncode == 0
            assert somaxconn() == "65535"
            record = f'{{"pid": {roots.pid}, "start_ticks": {start_ticks(roots.pid)}, "run": "x"}}'
            state = (
                '{"version": 2, "boot_id": "x", "originals": {"/etc/c10k-pwned": {"original": "1", "asked": ["2"]}}}'
            )
            bench.as_user(
                f"cd {BASE}/client1 && mkdir -p runs ../client1/kernel && echo '{record}' > agent-001.json"
                f" && echo '{state}' > kernel/global.json && rm -rf app && ln -s {victim}/kept app"
                f" && ln -s {victim}/kept venv && ln -s {victim} wheels && ln -s {victim} runs/20260101T000000Z-aaaaaa"
                f" && ln -s {victim}/kept/file agent-002.json"
            )
            restored = bench.play("playbooks/restore.yml", purge=True)
            assert somaxconn() == "4096", restored.stdout
            assert roots.poll() is None, "restore ended a process of root's"
        finally:
            roots.terminate()
    assert (victim / "kept/file").read_text() == "root's\n"
    assert not Path("/etc/c10k-pwned").exists()
    bench.as_user(f"rm -rf {BASE}/client1/* {BASE}/server/*")


def test_root_runs_no_module_that_the_user_could_change(bench: Bench) -> None:
    refused = bench.play("run_benchmark.yml", **RUN, ansible_pipelining="false")
    assert refused.returncode != 0
    assert "set ansible_pipelining=true" in refused.stdout, refused.stdout
    assert somaxconn() == "4096"


def test_what_is_roots_is_not_given_away(bench: Bench) -> None:
    """A base that is there and that the user may not write: told before anything is changed, and left as it is."""
    theirs = BASE.with_name("c10k-bench-theirs")
    (theirs / "client1").mkdir(parents=True)
    try:
        refused = bench.play("run_benchmark.yml", **RUN, c10k_base=str(theirs))
        assert refused.returncode != 0
        assert f"since {theirs}/client1 is there, and belongs to another" in refused.stdout, refused.stdout
        assert (theirs / "client1").stat().st_uid == 0
        assert [path.name for path in theirs.iterdir()] == ["client1"]
    finally:
        shutil.rmtree(theirs)
