"""What went wrong, by phase and cause and never by the text of an error; and whose doing it usually is."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, Optional

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

    @classmethod
    def of(cls, phase: str, error: OSError) -> Lost:
        return cls(phase, cause_of(error), error.errno)


def cause_of(error: OSError) -> str:
    """The cause that the errno of a socket call means."""
    if isinstance(error, PeerClosed):
        return "peer-closed"
    if isinstance(error, (TimeoutError, socket.timeout)):  # not the same before Python 3.10
        return "timeout"
    return next((cause for cause, numbers in CAUSES.items() if error.errno in numbers), "other")


def blame(phase: str, cause: str) -> str:
    """Whose doing it usually is. A handshake without answer is the network's, a missing reply the server's."""
    if cause == "timeout":
        return "network" if phase == "connect" else "server"
    return BLAME.get(cause, "generator")


class Tally:
    """Counts losses by phase and cause, and remembers the first of each."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, lost: Lost, connection: int) -> None:
        row = self._rows.get((lost.phase, lost.cause))
        if row is None:
            why = os.strerror(lost.errno) if lost.errno else lost.cause
            row = {"phase": lost.phase, "cause": lost.cause, "blame": blame(lost.phase, lost.cause)}
            row.update(errno=lost.errno, count=0, first=f"connection {connection}: {why}")
            self._rows[lost.phase, lost.cause] = row
        row["count"] += 1

    def rows(self) -> list[dict[str, Any]]:
        return list(self._rows.values())

    def keys(self) -> dict[str, int]:
        return {f"{phase}/{cause}": row["count"] for (phase, cause), row in self._rows.items()}
