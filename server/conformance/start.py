"""Starts the server to be checked, a strategy or any program, waits until it listens, and ends it."""

from __future__ import annotations

import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from server import catalog, lesson
from server.conformance.subject import Subject, family
from server.linux import processes
from server.linux.launch import die_with_parent
from server.linux.log import Log

LISTEN_S = 12.0
HOST = "127.0.0.1"
PORTS = range(21_000, 31_000)  # below the ephemeral ones
ROOT = Path(__file__).resolve().parents[2]


class NotStarted(Exception):
    """The server does not listen; the message is one sentence."""


def is_free(port: int) -> bool:
    """Even a server that does not ask for SO_REUSEADDR can listen there."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(ports: int = 1) -> int:
    """The first of so many neighbours among PORTS that nobody uses."""
    for port in PORTS[os.getpid() * 7 % (len(PORTS) // 2) : -ports]:
        if all(is_free(one) for one in range(port, port + ports)):
            return port
    raise NotStarted(f"No port from {PORTS.start} to {PORTS.stop} is free.")


@dataclass(frozen=True)
class Target:
    """The server to be checked. `words` is its command line, with {host}, {port} and {stats} to be filled in."""

    name: str
    words: tuple[str, ...]
    slots: int = 0  # of a strategy; 0: unknown, and a server that listens is taken to be ready
    cannot: tuple[str, ...] = ()
    because: str = ""

    @property
    def keeps_stats(self) -> bool:
        return any("{stats}" in word for word in self.words)


def strategy(name: str, workers: int = 2) -> Target:
    """A strategy of the catalogue; KeyError as catalog.find raises it."""
    entry = catalog.find(name)
    words = [sys.executable, "-m", "server", "serve", "--strategy", name]
    words += ["--workers", str(entry.processes(workers))]
    words += ["--host", "{host}", "--port", "{port}", "--stats", "{stats}"]
    return Target(name, tuple(words), entry.processes(workers), entry.cannot, entry.because)


def of_lesson(name: str) -> Target:
    """A server with a mistake; KeyError as lesson.find raises it."""
    words = [sys.executable, "-m", "server", "lesson", lesson.find(name).name]
    return Target(name, (*words, "--host", "{host}", "--port", "{port}", "--stats", "{stats}"), slots=1)


def command(line: str) -> Target:
    """A server of the user's own; ValueError says in one sentence what is wrong with the line."""
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise ValueError(f"{line!r} is not a command line: {error}.") from None
    if not words or not all(any(mark in word for word in words) for mark in ("{host}", "{port}")):
        raise ValueError(f"{line!r} does not hold {{host}} and {{port}}, which say where to listen.")
    return Target(words[0], words)


def launch(
    words: list[str], output: int, descriptors: int | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a program as our child, which does not outlive us; what it writes goes to the descriptor `output`."""
    parent = os.getpid()

    def prepare() -> None:
        die_with_parent(parent, signal.SIGKILL)
        if descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    return subprocess.Popen(
        words,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        preexec_fn=prepare,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End it and its descendants, at once."""
    found = family(process.pid)
    process.kill()
    process.wait()
    for pid, seen in found.items():
        now = processes.stat(pid)
        if now and now.start_ticks == seen.start_ticks:  # and not another that was given the number
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def start(target: Target, directory: Path, descriptors: int | None = None) -> Subject:
    """The running server; NotStarted, when it has not listened in time, or ended."""
    port, stats, written = free_port(), directory / "stats.bin", directory / "log"
    for old in (stats, written):
        old.unlink(missing_ok=True)
    words = list(target.words)
    for mark, value in (("{host}", HOST), ("{port}", str(port)), ("{stats}", str(stats))):
        words = [word.replace(mark, value) for word in words]
    log = Log(written)
    try:
        process = launch(words, log.writer, descriptors, ROOT if target.slots else None)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotStarted(f"{words[0]!r} cannot be started: {getattr(error, 'strerror', None) or error}.") from None
    finally:
        log.started()
    subject = Subject(process, (HOST, port), log.last_line, stats if target.keeps_stats else None)
    subject.holds_many = "mute" not in target.cannot
    deadline = time.monotonic() + LISTEN_S
    try:
        while not subject.ready(target.slots):
            death = subject.death()
            if death:
                raise NotStarted(f"Before it listened, {death}.")
            if time.monotonic() > deadline:
                late = f"does not listen on {HOST}:{port} {LISTEN_S:g} s after its start"
                raise NotStarted(f"The server {late}{subject.last_words()}.")
            time.sleep(0.005)
    except BaseException:
        end(process)
        raise
    return subject
