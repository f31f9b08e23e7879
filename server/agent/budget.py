"""What must hold before the server is started: enough descriptors, and an address that is free."""

from __future__ import annotations

import errno
import resource
import socket
from pathlib import Path

from contracts.line import error
from server import common, needs
from server.agent.spec import Spec
from server.catalog import OWN_DESCRIPTORS, Strategy
from server.linux import sockdiag


class Refusal(Exception):
    """Why the server cannot be started: an `error` event."""


def check_descriptors(spec: Spec, strategy: Strategy) -> None:
    """Refuse what cannot fit. A loop with a limit of its own may try: the trial shows where it ends."""
    if strategy.most_descriptors is not None:
        return
    processes = strategy.processes(spec.workers)
    need = -(-spec.connections // processes) + spec.server_ports - 1 + OWN_DESCRIPTORS
    have = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if need > have:
        over = f"{processes} server process{'es' if processes > 1 else ''}"
        message = f"{spec.connections} connections over {over} need {need} descriptors in each, and the hard limit on "
        message += f"{spec.host} is {have}."
        spread = "a strategy with several processes" if strategy.one_process else "more workers"
        remedy = f"Ask for fewer connections or {spread}, or raise the hard limit (LimitNOFILE, "
        remedy += "/etc/security/limits.conf) of the user that runs the benchmark."
        raise Refusal(error("budget", "descriptors", message, remedy))


def check_needs(strategy: Strategy) -> None:
    """Refuse a strategy whose program, package or kernel feature is not here."""
    sentence = needs.missing(strategy)
    if sentence:
        message, _, remedy = sentence.rstrip(".").partition(": ")
        cause = "program" if strategy.is_program else "needs"
        remedy = remedy or "choose another strategy, or another host"
        raise Refusal(error("budget", cause, f"{message}.", f"{remedy[:1].upper()}{remedy[1:]}."))


def check_addresses(spec: Spec) -> None:
    """Refuse an address on which nobody can listen, and name the process that holds it where that is visible."""
    causes = {errno.EADDRINUSE: "addr-in-use", errno.EADDRNOTAVAIL: "addr-not-available", errno.EACCES: "denied"}
    for port in range(spec.server_port, spec.server_port + spec.server_ports):
        try:
            common.listen(spec.address, port, 1).close()
        except OSError as failure:
            unknown = isinstance(failure, socket.gaierror)
            cause = "addr-not-available" if unknown else causes.get(failure.errno or 0, "listen")
            sentence = sockdiag.explain_listen_error(failure, spec.address, port)
            message, _, remedy = sentence.partition(": ")
            raise Refusal(error("listen", cause, f"{message}.", f"{remedy[:1].upper()}{remedy[1:]}")) from None


def effective_backlog(asked: int) -> int:
    """What the kernel makes of listen()'s argument."""
    return min(asked, int(Path("/proc/sys/net/core/somaxconn").read_text()))
