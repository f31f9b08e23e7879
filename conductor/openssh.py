"""What OpenSSH makes of an alias: host, port, user, keys, known host keys, and the hosts on the way.

Ansible goes through OpenSSH. So that the conductor gets to the same place by the same keys, OpenSSH itself is asked:
`ssh -G` for the options, `ssh-keygen -F` for the lines of known_hosts. ssh.py connects with what is found here.
"""

import os
import pwd
import shlex
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from conductor.errors import RunRefused

ANSWER_S = 20
CONNECT_S = 10
MOST_JUMPS = 8
UNABLE = {
    "pkcs11provider": "none", "proxyusefdpass": "no", "knownhostscommand": "none", "bindinterface": "",
    "bindaddress": "",
}  # fmt: skip
"""Options that the conductor's SSH cannot follow, each with the value under which there is nothing to follow."""


@dataclass(frozen=True)
class KnownKey:
    """One line of a known_hosts file that is about a host; `marker` is `@revoked`, `@cert-authority` or empty."""

    where: str
    marker: str
    kind: str
    base64: str


@dataclass(frozen=True)
class Target:
    """Where an alias leads. `login` is what a person may type to try it."""

    alias: str
    login: str
    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    certificate_files: tuple[Path, ...]
    identities_only: bool
    agent: Path | None
    connect_s: int
    known_hosts: tuple[Path, ...]
    known_keys: tuple[KnownKey, ...] = field(repr=False)
    jump: "Target | None" = None
    proxy_command: str | None = None

    @property
    def place(self) -> str:
        return f"{self.host} port {self.port}"

    @property
    def known_as(self) -> str:
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


def resolve(alias: str, arguments: Sequence[str], jumps: int = 0) -> Target:
    """`arguments` are those that Ansible gives to ssh. Raises RunRefused where OpenSSH does not understand its files,
    or they ask for what the conductor cannot do."""
    login = shlex.join(["ssh", *arguments, alias])
    options = asked(alias, arguments, login)
    for name, nothing in UNABLE.items():
        value = options.get(name, [nothing])[0]
        if value != nothing:
            raise RunRefused(
                f"'{login}' uses {name} {value}, which the conductor cannot: give this host another way in."
            )
    host, port, user = options["hostname"][0], int(options["port"][0]), options["user"][0]
    words = Words(host, port, user, alias, options.get("hostkeyalias", [host])[0])
    agent = words.fill(options.get("identityagent", ["SSH_AUTH_SOCK"])[0])
    lists = [value for name in ("user", "global") for value in options.get(f"{name}knownhostsfile", [])]
    files = [path for value in lists for path in paths(value, words)]
    names = options.get("hostkeyalias") or [host if port == 22 else f"[{host}]:{port}", host]
    timeout = options.get("connecttimeout", ["none"])[0]
    target = Target(
        alias=alias, login=login, host=host, port=port, user=user,
        identity_files=tuple(Path(words.fill(one)) for one in options.get("identityfile", [])),
        certificate_files=tuple(Path(words.fill(one)) for one in options.get("certificatefile", [])),
        identities_only=options.get("identitiesonly") == ["yes"],
        agent=agent_socket(agent), connect_s=int(timeout) if timeout.isdigit() else CONNECT_S,
        known_hosts=tuple(files), known_keys=known_keys(files, names),
    )  # fmt: skip
    hops = options.get("proxyjump", ["none"])[0]
    command = options.get("proxycommand", ["none"])[0]
    if hops != "none":
        if jumps == MOST_JUMPS:
            raise RunRefused(f"'{login}' goes through more than {MOST_JUMPS} hosts: does a ProxyJump lead to itself?")
        return replace(target, jump=resolve_jump(hops, arguments, jumps + 1))
    return replace(target, proxy_command=words.fill(command)) if command != "none" else target


def resolve_jump(hops: str, arguments: Sequence[str], jumps: int) -> Target:
    """The last of the hops, which is reached through those before it. OpenSSH hands it the file alone."""
    *before, last = hops.split(",")
    user, host, port = parts(last)
    words = [*config_file(arguments), *(["-J", ",".join(before)] if before else [])]
    return resolve(host, [*words, *(["-l", user] if user else []), *(["-p", port] if port else [])], jumps)


def parts(hop: str) -> tuple[str, str, str]:
    """User, host and port of `[ssh://][user@]host[:port]`; what is not there is empty."""
    user, _, rest = hop.removeprefix("ssh://").rstrip("/").rpartition("@")
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        return user, host, port.removeprefix(":")
    host, _, port = rest.partition(":") if rest.count(":") == 1 else (rest, "", "")
    return user, host, port


def config_file(arguments: Sequence[str]) -> list[str]:
    """`-F FILE`, where the arguments hold it."""
    for n, word in enumerate(arguments):
        if word == "-F":
            return list(arguments[n : n + 2])
        if word.startswith("-F"):
            return [word]
    return []


def asked(alias: str, arguments: Sequence[str], login: str) -> dict[str, list[str]]:
    """What `ssh -G` prints: for each option, in lower case, its values."""
    try:
        answer = subprocess.run(
            ["ssh", *arguments, "-G", "--", alias], stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_S,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise RunRefused(f"'ssh' cannot be started ({error.strerror}): install OpenSSH's client.") from None
    except subprocess.TimeoutExpired:
        raise RunRefused(f"'{login}' says nothing for {ANSWER_S} s: does a Match exec of its file hang?") from None
    if answer.returncode:
        lines = answer.stderr.decode(errors="replace").strip().splitlines()
        raise RunRefused(f"'{login}' is refused by OpenSSH: {lines[-1] if lines else 'it does not say why'}.")
    found: dict[str, list[str]] = {}
    for line in answer.stdout.decode(errors="replace").splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name.lower(), []).append(value.strip())
    return found


@dataclass(frozen=True)
class Words:
    """What stands for itself in a value, as ssh_config(5) says under TOKENS and ENVIRONMENT VARIABLES."""

    host: str
    port: int
    user: str
    alias: str
    key_alias: str

    def fill(self, text: str) -> str:
        account = pwd.getpwuid(os.getuid())
        node = socket.gethostname()
        tokens = {
            "%": "%", "h": self.host, "p": str(self.port), "r": self.user, "n": self.alias, "k": self.key_alias,
            "d": account.pw_dir, "u": account.pw_name, "i": str(account.pw_uid), "l": node, "L": node.split(".")[0],
        }  # fmt: skip
        if text.startswith("~/"):  # which OpenSSH takes from the account, whatever $HOME says
            text = f"{account.pw_dir}{text[1:]}"
        found, rest = "", str(Path(text).expanduser()) if text.startswith("~") else text
        while rest:
            plain, sign, rest = rest.partition("%")
            found += plain
            if sign:
                found += tokens.get(rest[:1], f"%{rest[:1]}")
                rest = rest[1:]
        for name, value in os.environ.items():
            found = found.replace(f"${{{name}}}", value)
        return found


def paths(value: str, words: Words) -> list[Path]:
    """A list of files in one value; `none` and /dev/null are no file. OpenSSH prints it without its quotes: a blank is
    part of a name where such a file is there."""
    found, rest = [], value.split(" ")
    while rest:
        joined = [Path(words.fill(" ".join(rest[:n]))) for n in range(1, len(rest) + 1)]
        taken = max((n for n, path in enumerate(joined, 1) if path.is_file()), default=1)
        found.append(joined[taken - 1])
        rest = rest[taken:]
    return [path for path in found if str(path) not in (".", "none", "/dev/null")]


def agent_socket(named: str) -> Path | None:
    """The socket of ssh-agent that an IdentityAgent names: by path, by $VARIABLE, or the usual one."""
    if named == "none":
        return None
    variable = named.removeprefix("$")
    path = os.environ.get(variable) if named == "SSH_AUTH_SOCK" or named.startswith("$") else named
    return Path(path) if path else None


def known_keys(files: Sequence[Path], names: Sequence[str]) -> tuple[KnownKey, ...]:
    """What known_hosts files say of a host. The first name that any of them has counts: a port's own line comes before
    that of the host."""
    for name in names:
        found = tuple(key for file in files if file.is_file() for key in lines_about(file, name))
        if found:
            return found
    return ()


def lines_about(file: Path, name: str) -> list[KnownKey]:
    """OpenSSH's own search knows hashed names, patterns, damaged lines and any encoding."""
    answer = subprocess.run(
        ["ssh-keygen", "-F", name, "-f", str(file)], stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_S,
        check=False,
    )  # fmt: skip
    found, line = [], "?"
    for text in answer.stdout.decode("latin-1").splitlines():
        if text.startswith("#"):
            line = text.rpartition("line ")[2].split()[0]
            continue
        marker, _, rest = text.partition(" ") if text.startswith("@") else ("", "", text)
        words = rest.split()
        if len(words) >= 3:
            found.append(KnownKey(f"{file} line {line}", marker, words[1], words[2]))
    return found
