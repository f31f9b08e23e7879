"""Runs the conductor as a child that cannot outlive the playbook. On the controller."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from plugins.module_utils.c10k_host import start_ticks

PR_SET_PDEATHSIG = 1
KNOWN_EXITS = (0, 2, 3, 4, 130)
QUIET_S = 60
"""The conductor speaks every second, but while it opens its sessions, which takes it 40 s at most."""


def elapsed_s(pid: int) -> float:
    """How long ago a process began."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - (start_ticks(pid) or 0) / os.sysconf("SC_CLK_TCK")


def meaning(returncode: int) -> int:
    """The exit that a run has when its conductor ended so: a signal interrupted it, anything else spoiled it."""
    if returncode < 0:
        return 130
    return returncode if returncode in KNOWN_EXITS else 3


def dies_with_its_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def conduct(
    plan: Path, results: Path, root: Path, owner: int, say: Callable[[str], None], again: Sequence[int] | None = None
) -> tuple[int, str]:
    """Run the plan, or the trials of these numbers, line by line before the reader's eyes; returns the raw exit and
    what it wrote to stderr.

    A conductor that says nothing for QUIET_S is frozen, and is killed.
    """
    files = ["--plan", str(plan), "--results", str(results)]
    if again:
        files += ["--resume", ",".join(map(str, again))]
    process = subprocess.Popen(
        [sys.executable, "-m", "conductor", "run", *files, "--owner", str(owner)], cwd=root,
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", preexec_fn=dies_with_its_parent,
    )  # fmt: skip
    assert process.stdout and process.stderr
    complaints: list[str] = []
    drain = threading.Thread(target=lambda: complaints.extend(process.stderr or ()), daemon=True)
    drain.start()
    quiet = Quiet(process)
    try:
        for line in process.stdout:
            quiet.seconds = 0
            say(line.rstrip("\n"))
        process.wait()
        drain.join(timeout=5)
    finally:
        end(process)
    if quiet.killed:
        return 3, f"The conductor said nothing for {QUIET_S} s, so it was killed: it was frozen, or this machine was."
    return process.returncode, "".join(complaints[-40:]).strip()


class Quiet:
    """Counts the seconds without a word, and kills the process after QUIET_S of them. It counts by turns of its own and
    not by the clock: where all of us were frozen (Ctrl-Z), nobody was quiet."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.seconds = 0
        self.killed = False
        threading.Thread(target=self._count, args=(process,), daemon=True).start()

    def _count(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            time.sleep(1)
            self.seconds += 1
            if self.seconds > QUIET_S:
                self.killed = True
                process.kill()
                return


def end(process: subprocess.Popen[str]) -> None:
    """Ask the conductor to end; kill it if it does not. Agents end by themselves when nobody speaks to them."""
    for how in (process.terminate, process.kill):
        if process.poll() is None:
            how()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
