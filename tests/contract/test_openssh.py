"""Where OpenSSH gets in, the conductor gets in, or says in one sentence why it cannot: no configuration is a traceback.

Each case is a file of ssh, a known_hosts and perhaps an ssh-agent, tried with `ssh` itself and with the conductor,
against a real sshd.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conductor.errors import RunRefused
from conductor.openssh import parts
from conductor.plan import Host
from conductor.ssh import SshSession
from tests.contract.test_conductor_ssh import SSHD, Sshd, keygen, sshd
from tests.unit.conductor.stage import eventually

__all__ = ["sshd"]
pytestmark = pytest.mark.skipif(SSHD is None, reason="needs sshd (openssh-server)")


@dataclass
class Case:
    """`config` and `known` are filled with the words below. `says`: what the refusal must hold; empty: it gets in.
    `ssh_too` is False where OpenSSH does not get in either, or would not check what we check."""

    config: str
    known: str = "[127.0.0.1]:{port} {host_key}\n"
    says: list[str] = field(default_factory=list)
    ssh_too: bool = True
    agent: bool = False
    arguments: list[str] = field(default_factory=list)


SRV = "Host srv\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n"
KEY = "  IdentityFile {dir}/user\n  IdentitiesOnly yes\n"
GATE = "Host gw\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n"
LOCKED = "  IdentityFile {dir}/locked\n  IdentitiesOnly yes\n"
BOTH = "[127.0.0.1]:{port},[localhost]:{port} {host_key}\n"
CASES: dict[str, Case] = {
    "plain": Case(SRV + KEY),
    "a key of the agent, with IdentitiesOnly": Case(SRV + LOCKED, agent=True),
    "a locked key without an agent": Case(SRV + LOCKED, says=["locked has a passphrase", "ssh-add"], ssh_too=False),
    "the public half alone": Case(SRV + "  IdentityFile {dir}/only.pub\n  IdentitiesOnly yes\n", agent=True),
    "the public half beside no key": Case(SRV + "  IdentityFile {dir}/only\n  IdentitiesOnly yes\n", agent=True),
    "the agent's key and none named": Case(SRV, agent=True),
    "an agent that the file names": Case(SRV + LOCKED + "  IdentityAgent {agent}\n", agent=True),
    "no agent by the file": Case(
        SRV + LOCKED + "  IdentityAgent none\n", says=["passphrase"], agent=True, ssh_too=False
    ),
    "a first key that is not there": Case(SRV + "  IdentityFile {dir}/none\n" + KEY),
    "a key that is not there and no other": Case(
        SRV + "  IdentityFile {dir}/none\n  IdentitiesOnly yes\n", says=["there is no key at {dir}/none"], ssh_too=False
    ),
    "a first key that is no key": Case(SRV + "  IdentityFile {dir}/garbage\n" + KEY),
    "ProxyJump none against a general jump": Case(
        SRV + KEY + "  ProxyJump none\nHost *\n  ProxyJump nowhere.invalid\n"
    ),
    "Include": Case("Include {dir}/included\n", known="[127.0.0.1]:{port} {host_key}\n"),
    "Match final": Case(SRV + "Match final all\n" + KEY),
    "Match exec": Case('Match exec "true"\n' + SRV.replace("Host srv\n", "") + KEY),
    "Match host": Case("Match originalhost srv\n" + SRV.replace("Host srv\n", "") + KEY),
    "a comment behind a value": Case(SRV.replace("{port}", "{port} # bench") + KEY),
    "a variable of the environment": Case(SRV + "  IdentityFile ${{C10K_KEYS}}/user\n  IdentitiesOnly yes\n"),
    "tokens": Case(SRV + "  IdentityFile {dir}/%r-%p-%h\n  IdentitiesOnly yes\n"),
    "ForwardAgent of a variable that is not set": Case(SRV + KEY + "  ForwardAgent $C10K_NOT_SET\n"),
    "equals signs and quotes": Case(
        'Host=srv\n HostName="127.0.0.1"\n Port={port}\n User={user}\n IdentityFile="{dir}/user"\n'
    ),
    "a jump": Case(SRV + KEY + "  ProxyJump gw\n" + GATE + KEY),
    "a jump by its address": Case(SRV + "  ProxyJump {user}@localhost:{port}\nHost *\n" + KEY, known=BOTH),
    "a jump as a URI": Case(SRV + "  ProxyJump ssh://{user}@localhost:{port}\nHost *\n" + KEY, known=BOTH),
    "a jump whose key is not known": Case(
        SRV + "  ProxyJump {user}@localhost:{port}\nHost *\n" + KEY, says=["[localhost]:{port} is not in"],
        ssh_too=False,
    ),
    "a known_hosts by -o, which counts for no jump": Case(
        SRV + "  ProxyJump {user}@localhost:{port}\nHost *\n" + KEY, ssh_too=False,
        arguments=["-o", "UserKnownHostsFile={dir}/both"],
        says=["[localhost]:{port} is not in", "for the host alone and not for its gateway"],
    ),
    "two jumps": Case(SRV + KEY + "  ProxyJump gw,gw2\n" + GATE + KEY + GATE.replace("gw", "gw2") + KEY),
    "a jump that leads to itself": Case(
        SRV + KEY + GATE + KEY + "Host *\n  ProxyJump gw\n", says=["more than 8 hosts"], ssh_too=False
    ),
    "a jump with a key of its own": Case(SRV + KEY + "  ProxyJump gw\n" + GATE + "  IdentityFile {dir}/other\n"),
    "ProxyCommand": Case(SRV + KEY + "  ProxyCommand {python} {dir}/pipe.py %h %p\n"),
    "HostKeyAlias": Case(SRV + KEY + "  HostKeyAlias bench\n", known="bench {host_key}\n"),
    "HostKeyAlias that is not known": Case(
        SRV + KEY + "  HostKeyAlias bench\n", known="other {host_key}\n", says=["is not in"], ssh_too=False
    ),
    "known without the port": Case(SRV + KEY, known="127.0.0.1 {host_key}\n"),
    "known by a pattern": Case(SRV + KEY, known="[127.0.0.*]:{port} {host_key}\n"),
    "hashed": Case(SRV + KEY, known="{hashed}\n"),
    "an authority beside the host's own key": Case(
        SRV + KEY, known="@cert-authority * {other_key}\n[127.0.0.1]:{port} {host_key}\n"
    ),
    "an authority alone": Case(
        SRV + KEY, known="@cert-authority * {other_key}\n", says=["line 1 vouches", "certificate"], ssh_too=False
    ),
    "another key revoked": Case(SRV + KEY, known="@revoked * {other_key}\n[127.0.0.1]:{port} {host_key}\n"),
    "the host's own key revoked": Case(
        SRV + KEY, known="[127.0.0.1]:{port} {host_key}\n@revoked * {host_key}\n", says=["@revoked in", "line 2"],
        ssh_too=False,
    ),
    "a damaged line of another host": Case(
        SRV + KEY, known="other.example ssh-ed25519 AAAAC3Nza\n[127.0.0.1]:{port} {host_key}\n"
    ),
    "a damaged line of the host itself": Case(
        SRV + KEY, known="[127.0.0.1]:{port} ssh-ed25519 AAAAC3Nza\n[127.0.0.1]:{port} {host_key}\n"
    ),
    "a comment in Latin-1": Case(SRV + KEY, known="# caf\xe9\n[127.0.0.1]:{port} {host_key}\n"),
    "a kind of key that nobody knows": Case(
        SRV + KEY, known="[127.0.0.1]:{port} ssh-future AAAA\n[127.0.0.1]:{port} {host_key}\n"
    ),
    "another key": Case(
        SRV + KEY, known="[127.0.0.1]:{port} {other_key}\n", says=["is not the one in", "line 1"], ssh_too=False
    ),
    "no known_hosts": Case(SRV + KEY, known="", says=["is not in", "ssh-keyscan"], ssh_too=False),
    "no host keys are checked, says the file": Case(
        SRV + KEY + "  StrictHostKeyChecking no\n", known="", says=["is not in"], ssh_too=False
    ),
    "an unknown option": Case(SRV + KEY + "  Colour blue\n", says=["refused by OpenSSH"], ssh_too=False),
    "a smartcard": Case(
        SRV + KEY + "  PKCS11Provider /usr/lib/none.so\n", says=["pkcs11provider /usr/lib/none.so"], ssh_too=False
    ),
    "options of the command line": Case(
        "Host srv\n  HostName 127.0.0.1\n  Port 1\n",
        arguments=["-o", "Port={port}", "-o", 'User="{user}"', "-o", 'IdentityFile="{dir}/user"'],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def words(sshd: Sshd) -> Iterator[dict[str, str]]:
    """What the cases are filled with; a second key, one with a passphrase and one of which the private half is gone."""
    home, user = sshd.directory, os.environ.get("USER") or "root"
    admitted = [(home / "authorized_keys").read_text()]
    for name in ("other", "only"):
        admitted.append(keygen(home / name) + "\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(home / "locked")], check=True)
    admitted.append((home / "locked.pub").read_text())
    (home / "authorized_keys").write_text("".join(admitted))
    (home / f"{user}-{sshd.port}-127.0.0.1").write_bytes((home / "user").read_bytes())
    (home / f"{user}-{sshd.port}-127.0.0.1").chmod(0o600)
    (home / "garbage").write_text("not a key\n")
    (home / "pipe.py").write_text(PIPE)
    askpass = home / "askpass"
    askpass.write_text("#!/bin/sh\necho secret\n")
    askpass.chmod(0o700)
    agent = home / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(agent)], stdout=subprocess.DEVNULL)
    try:
        eventually("the agent listens", agent.exists, 5)
        environment = {
            **os.environ,
            "SSH_AUTH_SOCK": str(agent),
            "SSH_ASKPASS": str(askpass),
            "SSH_ASKPASS_REQUIRE": "force",
        }
        for name in ("locked", "only"):
            subprocess.run(["ssh-add", "-q", str(home / name)], env=environment, check=True, stdin=subprocess.DEVNULL)
        (home / "only").unlink()
        hashed = home / "hashed"
        hashed.write_text(f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n")
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(hashed)], check=True, capture_output=True)
        yield {
            "port": str(sshd.port), "user": user, "dir": str(home), "host_key": sshd.host_key, "agent": str(agent),
            "other_key": " ".join((home / "other.pub").read_text().split()[:2]), "python": sys.executable,
            "hashed": hashed.read_text().strip(),
        }  # fmt: skip
    finally:
        process.terminate()
        process.wait(timeout=5)


PIPE = """\
import os, socket, sys, threading
there = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        there.sendall(data)
    there.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := there.recv(65536):
    os.write(1, data)
"""


@pytest.mark.parametrize("name", CASES)
def test_the_conductor_gets_in_where_openssh_does(
    name: str, words: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    config, known = tmp_path / "ssh_config", tmp_path / "known_hosts"
    files = f"Host *\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile /dev/null\n"
    (Path(words["dir"]) / "included").write_text((SRV + KEY).format(**words))
    config.write_text(case.config.format(**words) + files)
    known.write_bytes(case.known.format(**words).encode("latin-1"))
    monkeypatch.setenv("C10K_KEYS", words["dir"])
    monkeypatch.delenv("C10K_NOT_SET", raising=False)
    if case.agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", words["agent"])
    else:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    arguments = ["-F", str(config), *(word.format(**words) for word in case.arguments)]
    if case.ssh_too:
        options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        said = subprocess.run(
            ["ssh", *arguments, *options, "srv", "echo", "in"], text=True, capture_output=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert said.stdout == "in\n", f"OpenSSH itself is not in: {said.stderr}"
    assert_gets_in_or_says([text.format(**words) for text in case.says], lambda: session(arguments))


def session(arguments: list[str]) -> None:
    host = Host("srv", "server", "ssh", "srv", "python3", "127.0.0.1", "/b", None, None, ssh_args=arguments)
    one = SshSession(host)
    try:
        one.open()
        assert one.is_alive()
    finally:
        one.close()


def assert_gets_in_or_says(says: list[str], enter: Callable[[], None]) -> None:
    if not says:
        enter()
        return
    with pytest.raises(RunRefused) as refusal:
        enter()
    sentence = str(refusal.value)
    assert sentence.startswith("srv: ")
    assert "\n" not in sentence
    assert not [word for word in says if word not in sentence], sentence


@pytest.mark.parametrize(
    ("hop", "found"),
    [
        ("gw", ("", "gw", "")), ("me@gw:22", ("me", "gw", "22")), ("ssh://me@gw:22", ("me", "gw", "22")),
        ("[fd00::1]:22", ("", "fd00::1", "22")), ("me@[fd00::1]", ("me", "fd00::1", "")),
        ("fd00::1", ("", "fd00::1", "")), ("a@b@gw", ("a@b", "gw", "")),
    ],
)  # fmt: skip
def test_a_hop_has_user_host_and_port(hop: str, found: tuple[str, str, str]) -> None:
    assert parts(hop) == found
