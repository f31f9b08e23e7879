"""What must hold before the server is started: enough descriptors, and an address that is free."""

from __future__ import annotations

import errno
import resource
import socket
from pathlib import Path
from typing import Any

from server import common, needs, sockdiag
from server.catalog import Strategy
from server.spec import Spec

OWN_DESCRIPTORS = 64  # what a server process needs besides its connections; one of them listens


class Refusal(Exception):
    """Why the server cannot be started, as the fields of an `error` event."""

    def __init__(self, phase: str, cause: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.event: dict[str, Any] = {"event": "error", "phase": phase, "cause": cause, "message": message}
        self.event["remedy"] = remedy


def raise_descriptor_limit() -> int:
    """Raise the soft limit of descriptors to the hard one; what it is then."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        hard = int(Path("/proc/sys/fs/nr_open").read_text())
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def check_descriptors(spec: Spec, strategy: Strategy) -> None:
    """Refuse what cannot fit. select is let through: where it ends is what one wants to see."""
    if strategy.loop == "select":
        return
    processes = strategy.processes(spec.workers)
    need = -(-spec.connections // processes) + spec.ports - 1 + OWN_DESCRIPTORS
    have = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if need > have:
        raise Refusal(
            "budget",
            "descriptors",
            f"{spec.connections} connections over {processes} server process{'es' if processes > 1 else ''} need "
            f"{need} descriptors in each, and the hard limit on {spec.host} is {have}.",
            "Ask for fewer connections or more workers, or raise the hard limit "
            "(LimitNOFILE, /etc/security/limits.conf) of the user that runs the benchmark.",
        )


def check_needs(strategy: Strategy) -> None:
    """Refuse a strategy whose program was not built, whose package is absent, or whose kernel is another."""
    sentence = needs.missing(strategy, needs.interpreter(strategy))
    if sentence:
        message, _, remedy = sentence.rstrip(".").partition(": ")
        cause = "program" if strategy.is_program else "needs"
        remedy = remedy or "choose another strategy, or another host"
        raise Refusal("budget", cause, f"{message}.", f"{remedy[:1].upper()}{remedy[1:]}.")


def check_addresses(spec: Spec) -> None:
    """Refuse an address that cannot be listened on, naming who holds it where that is visible."""
    for port in range(spec.port, spec.port + spec.ports):
        _check_address(spec.address, port)


def _check_address(address: str, port: int) -> None:
    try:
        common.listen(address, port, 1).close()
    except OSError as error:
        causes = {errno.EADDRINUSE: "addr-in-use", errno.EADDRNOTAVAIL: "addr-not-available", errno.EACCES: "denied"}
        unknown = isinstance(error, socket.gaierror)
        cause = "addr-not-available" if unknown else causes.get(error.errno or 0, "listen")
        sentence = sockdiag.explain_listen_error(error, address, port)
        message, _, remedy = sentence.partition(": ")
        raise Refusal("listen", cause, f"{message}.", f"{remedy[:1].upper()}{remedy[1:]}") from None


def effective_backlog(asked: int) -> int:
    """What the kernel makes of listen()'s argument."""
    return min(asked, int(Path("/proc/sys/net/core/somaxconn").read_text()))
