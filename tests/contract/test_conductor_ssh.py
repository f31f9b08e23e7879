"""The conductor over a real sshd on 127.0.0.1: a good key, a changed one, an unknown one, a jump, a bad login."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.conductor.stage import Stage, eventually

SSHD = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(SSHD is None, reason="needs sshd (openssh-server)")


def keygen(path: Path) -> str:
    """Make a key; returns its public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@dataclass
class Sshd:
    directory: Path
    port: int
    host_key: str

    @property
    def ssh_config(self) -> Path:
        return self.directory / "ssh_config"

    def write_config(self, extra: str = "") -> None:
        user = os.environ.get("USER") or "root"
        hosts = "".join(
            f"Host {name}\n  Hostname 127.0.0.1\n" for name in ("server", "client1", "client2", "client3", "jump")
        )
        login = f"  User {user}\n  Port {self.port}\n  IdentityFile {self.directory}/user\n  IdentitiesOnly yes\n"
        self.ssh_config.write_text(extra + hosts + "Host *\n" + login)

    def known_hosts(self, line: str) -> Path:
        path = self.directory / "known_hosts"
        path.write_text(line + "\n")
        return path

    @property
    def good(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key}"


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    directory = tmp_path_factory.mktemp("sshd")
    host_key = keygen(directory / "host")
    (directory / "authorized_keys").write_text(keygen(directory / "user") + "\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (directory / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 30\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    assert SSHD is not None
    log = (directory / "log").open("w")
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(directory / "sshd_config")], stderr=log)
    try:
        eventually("sshd listens", lambda: answers(port), 5)
        yield Sshd(directory, port, host_key)
    finally:
        process.terminate()
        process.wait(timeout=5)
        log.close()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def stage(tmp_path: Path, sshd: Sshd) -> Stage:
    sshd.write_config()
    stage = Stage(tmp_path)
    stage.hosts = {
        name: {"connection": "ssh", "ssh": name, "python": sys.executable}
        for name in ("server", "client1", "client2", "client3")
    }
    stage.plan_fields = {"ssh_config": str(sshd.ssh_config), "known_hosts": str(sshd.known_hosts(sshd.good))}
    return stage


def refused(stage: Stage, *says: str) -> None:
    ended = stage.run(2)
    for text in says:
        assert text in ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert not ended.trials


def test_trials_over_one_set_of_connections(stage: Stage, sshd: Sshd) -> None:
    stage.trials = 2
    before = (sshd.directory / "log").read_text().count("Accepted publickey")
    ended = stage.run()
    assert [trial["outcome"] for trial in ended.trials] == ["ok", "ok"]
    assert (sshd.directory / "log").read_text().count("Accepted publickey") - before == 4
    for trial in ended.trials:
        assert trial["start_skew_ms"] < 10
        assert all(clock["bound_ns"] < 5_000_000 for clock in trial["clocks"].values())
        assert trial["overhead_s"] < 5


def test_a_jump_host_is_gone_through(stage: Stage, sshd: Sshd) -> None:
    sshd.write_config("Host client1\n  ProxyJump jump\n")
    stage.run()


def test_a_lost_agent_over_ssh_is_partial(stage: Stage) -> None:
    stage.behaviours = {"client2": {"is": "dies in mid-load"}}
    ended = stage.run(3)
    assert ended.trial["outcome"] == "partial"
    assert "client2" in ended.trial["reason"]


def test_a_changed_host_key_is_refused(stage: Stage, sshd: Sshd, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other")
    sshd.known_hosts(f"[127.0.0.1]:{sshd.port} {other}")
    refused(stage, "is not the one in", "known_hosts")


def test_an_unknown_host_key_is_refused(stage: Stage, sshd: Sshd) -> None:
    sshd.known_hosts("")
    refused(stage, f"the host key of [127.0.0.1]:{sshd.port} is not in", "ssh-keyscan")
    assert (sshd.directory / "known_hosts").read_text().strip() == ""


def test_a_jump_hosts_key_is_checked_too(stage: Stage, sshd: Sshd) -> None:
    """The jump has the one port in known_hosts; the host behind it would be fine."""
    sshd.write_config("Host client1\n  ProxyJump jump\nHost jump\n  Hostname localhost\n")
    refused(stage, f"client1: the host key of [localhost]:{sshd.port} is not in")


def test_a_login_that_is_not_accepted_is_one_sentence(stage: Stage, sshd: Sshd, tmp_path: Path) -> None:
    keygen(tmp_path / "stranger")
    sshd.write_config(f"Host client2\n  IdentityFile {tmp_path}/stranger\n  User nobody\n")
    refused(stage, "client2: 127.0.0.1", "login")


def test_an_unreachable_host_is_one_sentence(stage: Stage, sshd: Sshd) -> None:
    sshd.write_config("Host client3\n  Port 1\n")
    refused(stage, "client3: 127.0.0.1 port 1 cannot be reached")


def test_something_that_is_no_sshd_is_one_sentence(stage: Stage, sshd: Sshd) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sshd.write_config(f"Host client3\n  Port {listener.getsockname()[1]}\n")

        def hang_up() -> None:
            listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        refused(stage, "client3: no SSH session with 127.0.0.1")


def test_an_unknown_name_is_one_sentence(stage: Stage, sshd: Sshd) -> None:
    sshd.write_config("Host client3\n  Hostname does-not-exist.invalid\n")
    refused(stage, "client3: the name of does-not-exist.invalid", "HostName")


def test_a_missing_agent_over_ssh_is_one_sentence(stage: Stage) -> None:
    stage.set_up()
    shutil.rmtree(stage.base / "client2/app")
    err = stage.end(stage.start(), 2).err
    assert "client2: its agent did not start" in err
    assert "No such file or directory" in err
    assert "prepare.yml" in err
    assert err.count("\n") == 1
