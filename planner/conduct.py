"""Runs the conductor as a child that cannot outlive the playbook. On the controller."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from plugins.module_utils.c10k_host import start_ticks

PR_SET_PDEATHSIG = 1
KNOWN_EXITS = (0, 2, 3, 4, 130)


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
    what it wrote to stderr."""
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
    try:
        for line in process.stdout:
            say(line.rstrip("\n"))
        process.wait()
        drain.join(timeout=5)
    finally:
        end(process)
    return process.returncode, "".join(complaints[-40:]).strip()


def end(process: subprocess.Popen[str]) -> None:
    """Ask the conductor to end; kill it if it does not. Agents end by themselves when nobody speaks to them."""
    for how in (process.terminate, process.kill):
        if process.poll() is None:
            how()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
