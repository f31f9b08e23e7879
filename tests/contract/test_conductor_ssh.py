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

from conductor.ssh import Proxy
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
        login += f"  UserKnownHostsFile {self.directory}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
        self.ssh_config.write_text(extra + hosts + "Host *\n" + login)

    def known_hosts(self, line: str) -> Path:
        path = self.directory / "known_hosts"
        path.write_text(line + "\n")
        return path

    @property
    def arguments(self) -> list[str]:
        return ["-F", str(self.ssh_config)]

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
        "PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        "MaxStartups 10:30:100\nSetEnv SHLVL=1\n"  # no shell of ours reads what is in this user's ~/.bashrc
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
        name: {"connection": "ssh", "ssh": name, "ssh_args": sshd.arguments, "python": sys.executable}
        for name in ("server", "client1", "client2", "client3")
    }
    sshd.known_hosts(sshd.good)
    return stage


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


REFUSED: list[tuple[str, str, list[str]]] = [
    ("{good} changed", "", ["is not the one in", "known_hosts"]),
    ("", "", ["the host key of [127.0.0.1]:{port} is not in", "ssh-keyscan"]),
    # The jump has the one port in known_hosts; the host behind it would be fine.
    (
        "{good}", "Host client1\n  ProxyJump jump\nHost jump\n  Hostname localhost\n",
        [
            "client1: the host key of [localhost]:{port} is not in",
            "'ssh-keyscan -p {port} localhost' prints the line",
        ],
    ),
    # The gateway asks for the key, since ssh-keyscan goes through none.
    (
        "{good}", "Host client1\n  Hostname localhost\n  ProxyJump jump\n",
        [
            "client1: the host key of [localhost]:{port} is not in",
            "-F {config} jump ssh-keyscan -p {port} localhost' prints the line",
        ],
    ),
    (
        "{good}", "Host client1\n  ProxyJump jump\nHost jump\n  Port 1\n",
        ["client1: 127.0.0.1 port 1 cannot be reached"],
    ),
    (
        "{good}", "Host client1\n  Port 1\n  ProxyJump jump\n",
        ["client1: the gateway 127.0.0.1 port {port} does not connect us to 127.0.0.1 port 1"],
    ),
    (
        "{good}", "Host client1\n  ProxyCommand ssh -F {config} -W %h:%p stranger\n"
        "Host stranger\n  Hostname localhost\n  StrictHostKeyChecking yes\n",
        ["client1: no SSH session with 127.0.0.1", "No ED25519 host key is known for [localhost]:{port}"],
    ),
    ("{good}", "Host client2\n  IdentityFile {stranger}\n  User nobody\n", ["client2: 127.0.0.1", "login"]),
    ("{good}", "Host client3\n  Port 1\n", ["client3: 127.0.0.1 port 1 cannot be reached"]),
    ("{good}", "Host client3\n  Port {mute}\n", ["client3: no SSH session with 127.0.0.1"]),
    (
        "{good}", "Host client3\n  Hostname does-not-exist.invalid\n",
        ["client3: the name of does-not-exist.invalid", "HostName"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "config", "says"), REFUSED,
    ids=[
        "changed key", "unknown key", "a jump's key", "a key behind a jump", "no jump", "nothing behind a jump",
        "a proxy's words", "login", "unreachable", "no sshd", "unknown name",
    ],
)  # fmt: skip
def test_a_host_that_cannot_be_trusted_or_reached_is_one_sentence(
    stage: Stage, sshd: Sshd, tmp_path: Path, known: str, config: str, says: list[str]
) -> None:
    other = keygen(tmp_path / "stranger")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        words = {
            "port": sshd.port,
            "stranger": tmp_path / "stranger",
            "mute": listener.getsockname()[1],
            "config": sshd.ssh_config,
        }
        line = f"[127.0.0.1]:{sshd.port} {other}" if "changed" in known else known.format(good=sshd.good)
        sshd.known_hosts(line)
        sshd.write_config(config.format(**words))
        err = stage.run(2).err
    for text in says:
        assert text.format(**words) in err
    assert err.count("\n") == 1
    assert not list(stage.results.glob("trials/*"))
    assert (sshd.directory / "known_hosts").read_text() == line + "\n"


def test_a_missing_agent_over_ssh_is_one_sentence(stage: Stage) -> None:
    stage.set_up()
    shutil.rmtree(stage.base / "client2/app")
    err = stage.end(stage.start(), 2).err
    assert "client2: its agent did not start" in err
    assert "No such file or directory" in err
    assert "prepare.yml" in err
    assert err.count("\n") == 1


def test_the_end_of_a_proxy_is_an_end() -> None:
    """The defect: paramiko read on at full speed: a ProxyCommand that had ended took 40 s, and its words were lost."""
    proxy = Proxy("printf ab")
    proxy.settimeout(30)
    assert [proxy.recv(1), proxy.recv(9), proxy.recv(9)] == [b"a", b"b", b""]
    proxy.process.wait()
    silent = Proxy("sleep 60")
    silent.settimeout(0.01)
    with pytest.raises(TimeoutError):
        silent.recv(1)
    silent.close()
    silent.process.wait()
