"""What went wrong, by phase and cause and never by the text of an error; and whose doing it usually is."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass, replace
from typing import Optional

from contracts import line

CAUSES = {
    "descriptors": (errno.EMFILE, errno.ENFILE),
    "ports": (errno.EADDRNOTAVAIL, errno.EADDRINUSE),
    "memory": (errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC),
    "refused": (errno.ECONNREFUSED,),
    "reset": (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED),
    "timeout": (errno.ETIMEDOUT,),
    "unreachable": (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.ENONET),
    "permission": (errno.EACCES, errno.EPERM),
}
BLAME = {
    **dict.fromkeys(("descriptors", "ports", "memory", "source", "permission"), "host"),
    **dict.fromkeys(("refused", "reset", "peer-closed", "mismatched"), "server"),
    **dict.fromkeys(("unreachable",), "network"),
}


class Refusal(Exception):
    """Why a trial cannot be: for a person, in one sentence, and what to do about it."""

    def __init__(self, phase: str, cause: str, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.event = line.error(phase, cause, message, remedy)


class PeerClosed(OSError):
    """The other side has closed, where a reply was waited for."""


class Lost(Exception):
    """A connection that is no more, or never came to be."""

    def __init__(self, phase: str, cause: str, number: Optional[int] = None) -> None:
        super().__init__(phase, cause)
        self.phase, self.cause, self.errno = phase, cause, number
        self.name = f"{phase}/{cause}"

    @classmethod
    def of(cls, phase: str, error: OSError) -> Lost:
        """By what the errno of a socket call means."""
        cause = next((cause for cause, numbers in CAUSES.items() if error.errno in numbers), "other")
        if isinstance(error, PeerClosed):
            cause = "peer-closed"
        elif isinstance(error, (TimeoutError, socket.timeout)):  # not the same before Python 3.10
            cause = "timeout"
        return cls(phase, cause, error.errno)

    @property
    def blame(self) -> str:
        """Whose doing it usually is. A handshake without answer is the network's, a missing reply the server's."""
        if self.cause == "timeout":
            return "network" if self.phase == "connect" else "server"
        return BLAME.get(self.cause, "generator")


@dataclass
class Loss:
    """The connections lost in one phase for one cause, of which the first is remembered."""

    phase: str
    cause: str
    blame: str
    errno: Optional[int]
    first: str
    count: int = 0

    @classmethod
    def of(cls, lost: Lost, connection: int) -> Loss:
        why = os.strerror(lost.errno) if lost.errno else lost.cause
        return cls(lost.phase, lost.cause, lost.blame, lost.errno, f"connection {connection}: {why}")

    def __add__(self, other: Loss) -> Loss:
        return replace(self, count=self.count + other.count)
