"""The way to an agent: the interface of a session, and the session of this machine. ssh.py has the other session."""

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from typing import IO, Protocol

from conductor.inbox import Inbox, Tag, drain_in_background
from conductor.plan import Host


class Channel(Protocol):
    """One running agent: orders go in here, what it writes arrives in the inbox."""

    def send_line(self, line: str) -> None:
        """Hand over one line; raises OSError where nobody can read it any more."""

    def close(self) -> None:
        """End the agent's input, and the agent itself where it is ours to end. Never waits for the other host."""


class Session(Protocol):
    """The way to one host, used for all trials. The methods may block, so they are called off the main thread."""

    host: Host

    def open(self) -> None:
        """Reach the host; raises RunRefused with the sentence to print."""

    def start(self, argv: Sequence[str], cwd: str, inbox: Inbox, tag: Tag) -> Channel:
        """Start an agent; raises RunRefused or OSError."""

    def is_alive(self) -> bool: ...

    def close(self) -> None: ...


def command_line(argv: Sequence[str], cwd: str) -> str:
    """The command for the host's shell, with every word quoted. Whatever the user's umask, other accounts may see which
    runs have left logs, and whose agent runs."""
    return f"umask 022 && cd {shlex.quote(cwd)} && exec {shlex.join(argv)}"


def as_account(account: str | None, argv: Sequence[str], cwd: str) -> tuple[Sequence[str], str]:
    """The same command of another account of the host; sudo hands through input, output and their ends."""
    if account is None:
        return argv, cwd
    return ["sudo", "-n", "-u", account, "--", "/bin/sh", "-c", command_line(argv, cwd)], "/"


class LocalChannel:
    """A process of this machine, in a session of its own: a Ctrl-C of the terminal reaches the conductor only."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        self._process = process
        self._stdin: IO[bytes] = process.stdin
        # An agent that does not read its orders must not stop the conductor.
        os.set_blocking(self._stdin.fileno(), False)

    def send_line(self, line: str) -> None:
        if self._stdin.closed:
            raise BrokenPipeError
        data = line.encode() + b"\n"
        if os.write(self._stdin.fileno(), data) != len(data):
            raise BlockingIOError("the agent does not read its orders")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()
        if self._ends_within(0.2):
            return
        # Its session was made for it, so the group holds it and its children only.
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):  # sudo's is root's; its agent heard the end
                os.killpg(self._process.pid, number)
            if self._ends_within(0.5):
                return

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class LocalSession:
    """The controller itself, behind the same interface and through the same shell command."""

    def __init__(self, host: Host, cpus: frozenset[int]) -> None:
        self.host = host
        self._cpus = cpus

    def open(self) -> None:
        """This machine is always reached."""

    def start(self, argv: Sequence[str], cwd: str, inbox: Inbox, tag: Tag) -> Channel:
        with _on_cpus(self._cpus):
            process = subprocess.Popen(
                ["/bin/sh", "-c", command_line(argv, cwd)],
                bufsize=0, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        for stream, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            assert pipe is not None
            drain_in_background(inbox, tag, stream, pipe.read)
        return LocalChannel(process)

    def is_alive(self) -> bool:
        return True

    def close(self) -> None:
        """There is nothing to close."""


@contextlib.contextmanager
def _on_cpus(cpus: frozenset[int]) -> Iterator[None]:
    """A child inherits the CPUs of the thread that starts it; the conductor's own pinning is not the agents'."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)
