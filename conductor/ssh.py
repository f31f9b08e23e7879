"""SSH sessions by Fabric, each to where OpenSSH would go. No host key is ever accepted that was not known before, nor
that of a gateway on the way."""

import binascii
import logging
import os
import random
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import paramiko
from fabric import Config, Connection
from paramiko.agent import AgentSSH
from paramiko.auth_strategy import AuthSource, AuthStrategy, InMemoryPrivateKey

from conductor.errors import RunRefused
from conductor.hindrance import UnknownHostKey, is_passing, options_hint, sentence
from conductor.inbox import Inbox, Tag, drain_in_background
from conductor.openssh import Target, resolve
from conductor.plan import Host
from conductor.sessions import Channel, command_line
from contracts.visible import one_line

TRIES = 4
"""sshd drops some of more than ten logins at once (MaxStartups 10:30:100), and a gateway is everybody's."""

# Its transport thread would print a traceback of what we say in a sentence.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Reject(paramiko.MissingHostKeyPolicy):
    def __init__(self, target: Target) -> None:
        self._target = target

    def missing_host_key(self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey) -> None:
        raise UnknownHostKey(self._target.known_as, key)


def host_keys(target: Target) -> list[paramiko.PKey]:
    """The keys by which the host may prove itself: no revoked one, and none that is not whole."""
    revoked = {(known.kind, known.base64) for known in target.known_keys if known.marker == "@revoked"}
    found = []
    for known in target.known_keys:
        if not known.marker and (known.kind, known.base64) not in revoked:
            with suppress(paramiko.SSHException, ValueError, binascii.Error):
                found.append(paramiko.PKey.from_type_string(known.kind, binascii.a2b_base64(known.base64)))
    return found


# Logging in ----------------------------------------------------------------------------------------------------------


class Keys(AuthStrategy):
    """The user's keys in OpenSSH's order; `lacking` says why some that OpenSSH may use cannot be."""

    def __init__(self, target: Target) -> None:
        super().__init__(ssh_config=None)
        self.target = target
        self.lacking: list[str] = []
        self._agent = SocketAgent(None)

    def get_sources(self) -> Iterator[AuthSource]:
        held = {key.asbytes(): key for key in self._agent.get_keys()}
        own: list[paramiko.PKey] = []
        offered = 0
        for path in self.target.identity_files:
            blob = public_blob(path)
            if blob in held:
                offered += 1
                yield InMemoryPrivateKey(self.target.user, held.pop(blob))
            elif key := self.load(path):
                own.append(key)
        others = [] if self.target.identities_only else list(held.values())
        for key in [*others, *own]:
            offered += 1
            yield InMemoryPrivateKey(self.target.user, key)
        absent = [str(path) for path in self.target.identity_files if not path.exists()]
        if not offered and absent:
            self.lacking.append(f"there is no key at {', '.join(absent)}")

    def load(self, path: Path) -> paramiko.PKey | None:
        try:
            key = paramiko.PKey.from_path(path)
        except FileNotFoundError:
            return None  # as OpenSSH does
        except (paramiko.PasswordRequiredException, TypeError):  # the second by way of cryptography
            self.lacking.append(f"{path} has a passphrase, and no ssh-agent holds it (ssh-add {path})")
            return None
        except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, OSError, ValueError) as error:
            self.lacking.append(
                f"{path} is no private key that can be used here ({str(error) or type(error).__name__})"
            )
            return None
        for certificate in self.target.certificate_files:
            with suppress(paramiko.SSHException, OSError, ValueError):
                key.load_certificate(str(certificate))
        return key

    def authenticate(self, transport: paramiko.Transport) -> object:
        self._agent = open_agent(self.target.agent)
        try:
            return super().authenticate(transport)
        finally:
            self._agent.close()


class SocketAgent(AgentSSH):
    """The ssh-agent behind a socket, which need not be the one that $SSH_AUTH_SOCK names."""

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        if path is not None:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(path))
            self._connect(connection)

    def close(self) -> None:
        self._close()


def open_agent(path: Path | None) -> SocketAgent:
    """No agent where none answers, as OpenSSH has it."""
    try:
        return SocketAgent(path)
    except (OSError, paramiko.SSHException):
        return SocketAgent(None)


def public_blob(path: Path) -> bytes | None:
    """The public half of an identity, which may be all that there is on the disk."""
    for public in (path.with_name(f"{path.name}.pub"), path):
        with suppress(OSError, ValueError, IndexError):
            kind, base64 = public.read_text().split()[:2]
            if not kind.startswith("-"):
                return binascii.a2b_base64(base64)
    return None


# Connecting ----------------------------------------------------------------------------------------------------------


class Proxy(paramiko.ProxyCommand):
    """A ProxyCommand whose end is an end. That of paramiko reads on without a pause until its time is over."""

    def recv(self, size: int) -> bytes:
        """What there is, at most `size` bytes; nothing at its end. TimeoutError where nothing comes in time."""
        if not select.select([self.process.stdout], [], [], self.timeout)[0]:
            raise TimeoutError
        return os.read(self.process.stdout.fileno(), size)


class Way(Connection):
    def open_gateway(self) -> object:
        """A ProxyCommand, which Target has filled already, or a connection through the gateway."""
        return Proxy(self.gateway) if isinstance(self.gateway, str) else super().open_gateway()


def connect(target: Target) -> Connection:
    """The only place that makes a connection; not yet opened. A user's Fabric files have no say."""
    gateway = connect(target.jump) if target.jump else target.proxy_command
    keys = Keys(target)
    connection = Way(
        target.host, user=target.user, port=target.port, gateway=gateway, connect_timeout=target.connect_s,
        config=Config(lazy=True, ssh_config=paramiko.SSHConfig()),
        connect_kwargs={
            "auth_strategy": keys, "banner_timeout": target.connect_s, "auth_timeout": target.connect_s,
            "channel_timeout": target.connect_s,
        },
    )  # fmt: skip
    connection.client.set_missing_host_key_policy(Reject(target))
    for key in host_keys(target):
        connection.client.get_host_keys().add(target.known_as, key.get_name(), key)
    return connection


def enter(alias: str, arguments: Sequence[str]) -> Connection:
    """An open connection to where `ssh ARGUMENTS ALIAS` goes. RunRefused with a sentence of the host on the way, or at
    its end, that does not let us in."""
    target = resolve(alias, arguments)
    for left in reversed(range(TRIES)):
        connection = connect(target)
        for hop, on_the_way in way(target, connection):
            try:
                on_the_way.open()
            except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
                said = proxy_said(on_the_way)
                close(connection)
                if not left or not is_passing(error):
                    raise RunRefused(sentence(error, hop, said) + options_hint(error, hop, target, arguments)) from None
                break
        else:
            return connection
        time.sleep(random.uniform(0.2, 1) * (TRIES - left))
    raise AssertionError("the last try returns or raises")


def way(target: Target, connection: Connection) -> list[tuple[Target, Connection]]:
    """Each host that a connection goes through, the first gateway first, so that an error is told of the right one."""
    before = way(target.jump, connection.gateway) if target.jump else []
    return [*before, (target, connection)]


def close(connection: Connection) -> None:
    """With its gateways, opened or not."""
    one: object = connection
    while isinstance(one, Connection):
        one.client.close()
        one = one.gateway


def proxy_said(connection: Connection) -> str:
    """What a ProxyCommand has written to its stderr, which paramiko keeps to itself."""
    transport = connection.client.get_transport()
    proxy = transport and transport.sock
    if not isinstance(proxy, paramiko.ProxyCommand) or proxy.process.stderr is None:
        return ""
    os.set_blocking(proxy.process.stderr.fileno(), False)
    return one_line((proxy.process.stderr.read() or b"").decode(errors="replace")).rstrip(".")


class SshChannel:
    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def send_line(self, line: str) -> None:
        self._channel.sendall(line.encode() + b"\n")

    def close(self) -> None:
        self._channel.close()


class SshSession:
    def __init__(self, host: Host) -> None:
        assert host.ssh is not None
        self.host = host
        self._connection: Connection | None = None

    def open(self) -> None:
        try:
            self._connection = enter(self.host.ssh or "", self.host.ssh_args)
        except RunRefused as refusal:
            raise RunRefused(f"{self.host.name}: {refusal}") from None
        transport_socket = self._connection.transport.sock
        if isinstance(transport_socket, socket.socket):
            # An order is one small packet; Nagle would hold it back until the last one is acknowledged.
            transport_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self, argv: Sequence[str], cwd: str, inbox: Inbox, tag: Tag) -> Channel:
        assert self._connection is not None
        try:
            channel = self._connection.create_session()
            command = command_line(argv, cwd)
            # A host's shell reads it; command_line quotes every word.
            channel.exec_command(command)  # nosec B601
        except (paramiko.SSHException, EOFError) as error:
            raise OSError(f"its SSH session is gone ({error or type(error).__name__})") from None
        drain_in_background(inbox, tag, "stdout", channel.recv)
        drain_in_background(inbox, tag, "stderr", channel.recv_stderr)
        return SshChannel(channel)

    def is_alive(self) -> bool:
        return self._connection is not None and bool(self._connection.is_connected)

    def close(self) -> None:
        if self._connection is not None:
            close(self._connection)
