"""Why there is no SSH session, as a sentence that says how to mend it: of the host, or of a gateway on the way."""

import shlex
import socket
from collections.abc import Sequence

import paramiko

from conductor.openssh import KnownKey, Target


class UnknownHostKey(paramiko.SSHException):
    """No line of known_hosts has the key that the host showed."""

    def __init__(self, known_as: str, key: paramiko.PKey) -> None:
        super().__init__(f"unknown host key of {known_as}")
        self.key = key


def is_passing(error: Exception) -> bool:
    """May it go well a moment later? So where sshd hung up before it said who it is."""
    if isinstance(error, paramiko.AuthenticationException | paramiko.BadHostKeyException | UnknownHostKey):
        return False
    hung_up = isinstance(error, EOFError | ConnectionResetError | BrokenPipeError)
    return hung_up or (isinstance(error, paramiko.SSHException) and "banner" in str(error))


def sentence(error: Exception, hop: Target, proxy_said: str = "") -> str:
    """What is wrong and how to mend it, of the host that did not let us in; the name of the host that we wanted stands
    before it. `proxy_said` is what the ProxyCommand of that hop has said."""
    match error:
        case paramiko.BadHostKeyException():
            return revoked(hop, error.key) or (
                f"the host key of {hop.known_as} is not the one in {hop.known_keys[0].where}: the host was made anew, "
                "or something else answers in its place; if you know why, replace its line there by the new key."
            )
        case UnknownHostKey():
            return revoked(hop, error.key) or unknown(hop)
        case paramiko.AuthenticationException():
            keys = getattr(getattr(error, "result", None), "strategy", None)
            why = "; ".join(getattr(keys, "lacking", [])) or "none of its keys is welcome"
            return f"{hop.place} does not accept our login as {hop.user} ({why}): try '{hop.login}'."
        case paramiko.ChannelException() if hop.jump:
            return (
                f"the gateway {hop.jump.place} does not connect us to {hop.place} ({error.text}): see that the host is "
                f"up and the gateway's sshd lets TCP through (AllowTcpForwarding); try '{hop.login}'."
            )
        case socket.gaierror():
            return f"the name of {hop.host} cannot be resolved: see HostName of {hop.alias}; try '{hop.login}'."
        case paramiko.SSHException() | EOFError():
            return f"no SSH session with {hop.place} ({proxy_said or error or 'it hung up'}): try '{hop.login}'."
        case _:
            why = proxy_said or str(error) or type(error).__name__
            return f"{hop.place} cannot be reached ({why}): see that it is up and its sshd runs; try '{hop.login}'."


def revoked(hop: Target, key: paramiko.PKey) -> str | None:
    line = next((known for known in hop.known_keys if is_of(known, key, "@revoked")), None)
    if line is None:
        return None
    return f"the host key of {hop.known_as} is @revoked in {line.where}: it is not to be trusted."


def options_hint(error: Exception, hop: Target, target: Target, arguments: Sequence[str]) -> str:
    """Why a known_hosts file that the command line names does not help a gateway."""
    named = any("userknownhostsfile" in word.lower() for word in arguments)
    if hop is target or not isinstance(error, UnknownHostKey) or not named:
        return ""
    return (
        " An option that follows -o counts for the host alone and not for its gateway: let the ssh_config that -F "
        "names say UserKnownHostsFile."
    )


def unknown(hop: Target) -> str:
    scan = shlex.join(["ssh-keyscan", *(["-p", str(hop.port)] if hop.port != 22 else []), hop.host])
    printed = f"{hop.jump.login} {scan}" if hop.jump else scan  # ssh-keyscan itself goes through no gateway
    authority = next((known for known in hop.known_keys if known.marker == "@cert-authority"), None)
    if authority:
        return (
            f"{authority.where} vouches for {hop.known_as} by a certificate, which the conductor cannot check: add the "
            f"host's own key too ('{printed}' prints the line)."
        )
    files = " or ".join(map(str, hop.known_hosts[:1])) or "any known_hosts file"
    return f"the host key of {hop.known_as} is not in {files}: verify it, then add it ('{printed}' prints the line)."


def is_of(known: KnownKey, key: paramiko.PKey, marker: str) -> bool:
    return known.marker == marker and known.kind == key.get_name() and known.base64 == key.get_base64()
