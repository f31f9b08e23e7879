"""SSH sessions by Fabric. No host key is ever accepted that was not known before, nor by a gateway on the way."""

import logging
import socket
from collections.abc import Sequence
from pathlib import Path

import paramiko
from fabric import Config, Connection

from conductor.errors import RunRefused
from conductor.inbox import Inbox, Tag, drain_in_background
from conductor.plan import Host
from conductor.sessions import Channel, command_line

CONNECT_S = 10

# Its transport thread would print a traceback of what we say in a sentence.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class UnknownHostKey(paramiko.SSHException):
    """`name` is as it would stand in known_hosts."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown host key of {name}")
        self.name = name


class Reject(paramiko.RejectPolicy):
    """Paramiko's RejectPolicy, with an exception of its own class."""

    def missing_host_key(self, _client: paramiko.SSHClient, hostname: str, _key: paramiko.PKey) -> None:
        raise UnknownHostKey(hostname)


def connect(alias: str, ssh_config: str | None, known_hosts: Path) -> Connection:
    """The only place that makes a connection; not yet opened. Aliases, users, keys and jumps are the ssh_config's."""
    config = Config(runtime_ssh_path=ssh_config) if ssh_config else Config()
    connection = Connection(alias, config=config, connect_timeout=CONNECT_S)
    hop: object = connection
    while isinstance(hop, Connection):
        hop.client.set_missing_host_key_policy(Reject())
        if known_hosts.exists():
            hop.client.load_system_host_keys(str(known_hosts))
        hop.connect_kwargs.update(banner_timeout=CONNECT_S, auth_timeout=CONNECT_S, channel_timeout=CONNECT_S)
        if hop.ssh_config.get("identitiesonly") == "yes":
            # Keys that the ssh_config did not name would use up the host's MaxAuthTries.
            hop.connect_kwargs.update(allow_agent=False, look_for_keys=False)
        hop = hop.gateway
    return connection


class SshChannel:
    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def send_line(self, line: str) -> None:
        self._channel.sendall(line.encode() + b"\n")

    def close(self) -> None:
        self._channel.close()


class SshSession:
    def __init__(self, host: Host, ssh_config: str | None, known_hosts: str | None) -> None:
        assert host.ssh is not None
        self.host = host
        self._alias = host.ssh
        self._ssh_config = ssh_config
        self._known_hosts = Path(known_hosts) if known_hosts else Path.home() / ".ssh/known_hosts"
        self._connection: Connection | None = None

    def open(self) -> None:
        try:
            self._connection = connect(self._alias, self._ssh_config, self._known_hosts)
            self._connection.open()
        except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
            raise RunRefused(f"{self.host.name}: {self._sentence(error)}") from None
        transport_socket = self._connection.transport.sock
        if isinstance(transport_socket, socket.socket):
            # An order is one small packet; Nagle would hold it back until the last one is acknowledged.
            transport_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self, argv: Sequence[str], cwd: str, inbox: Inbox, tag: Tag) -> Channel:
        assert self._connection is not None
        try:
            channel = self._connection.create_session()
            channel.exec_command(command_line(argv, cwd))
        except (paramiko.SSHException, EOFError) as error:
            raise OSError(f"its SSH session is gone ({error or type(error).__name__})") from None
        drain_in_background(inbox, tag, "stdout", channel.recv)
        drain_in_background(inbox, tag, "stderr", channel.recv_stderr)
        return SshChannel(channel)

    def is_alive(self) -> bool:
        return self._connection is not None and bool(self._connection.is_connected)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _sentence(self, error: Exception) -> str:
        """What is wrong and how to mend it; the host's name stands before it."""
        connection = self._connection
        place = f"{connection.host} port {connection.port}" if connection else self._alias
        login = f"ssh {f'-F {self._ssh_config} ' if self._ssh_config else ''}{self._alias}"
        match error:
            case paramiko.BadHostKeyException():
                return (
                    f"the host key of {error.hostname} is not the one in {self._known_hosts}: the host was made anew, "
                    f"or something else answers in its place; if you know why, replace its line there by the new key."
                )
            case UnknownHostKey():
                return (
                    f"the host key of {error.name} is not in {self._known_hosts}: "
                    f"verify it, then add it (ssh-keyscan prints the line)."
                )
            case paramiko.AuthenticationException():
                return f"{place} does not accept our login ({error}): try '{login}', and see to its user and key."
            case socket.gaierror():
                return f"the name of {place} cannot be resolved: see HostName in {self._ssh_config or '~/.ssh/config'}."
            case paramiko.SSHException() | EOFError():
                return f"no SSH session with {place} ({error or 'it hung up'}): try '{login}'."
            case _:
                why = str(error) or type(error).__name__
                return f"{place} cannot be reached ({why}): see that it is up and its sshd runs, then try '{login}'."
