"""Faults of the controller: its processes, Ctrl-C, and the disk under results/."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator

from tests import harm, line
from tests.harm import Mend, NotThere, nothing

AGAIN_AFTER_S = 0.2


def playbook_of(run: str) -> int:
    """The playbook of a run: the owner of what holds its locks."""
    (holder,) = harm.find(harm.holder, run)
    words = harm.look(holder).words
    return int(words[words.index("--owner") + 1])


def worker_of(run: str) -> int:
    """Ansible's own process in which the task of the trials runs."""
    (conductor,) = harm.find(harm.conductor, run)
    worker = harm.look(conductor).parent
    if harm.look(worker).parent != playbook_of(run):
        raise NotThere(f"the parent of the conductor of {run} is no worker of its playbook")
    return worker


def kill_worker(run: str) -> Mend:
    os.kill(worker_of(run), signal.SIGKILL)
    return nothing


def freeze_playbook(run: str) -> Mend:
    os.kill(playbook_of(run), signal.SIGSTOP)
    return nothing


def freeze_worker(run: str) -> Mend:
    os.kill(worker_of(run), signal.SIGSTOP)
    return nothing


def interrupt(times: int, run: str) -> Mend:
    """Ctrl-C, again and again: SIGINT to the group in the foreground, script/benchmark included."""
    group = os.getpgid(playbook_of(run))
    for _ in range(times):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGINT)
        time.sleep(AGAIN_AFTER_S)
    return nothing


@contextlib.contextmanager
def small_results() -> Iterator[None]:
    """results/ on a disk of its own, of two megabytes."""
    line.RESULTS.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", line.RESULTS], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", line.RESULTS], check=True)


def fill_results(_run: str) -> Mend:
    filler = line.RESULTS / ".filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler.unlink


def forbid_results(_run: str) -> Mend:
    """Nothing more may be opened for writing there; what is open stays so."""
    line.RESULTS.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", line.RESULTS, line.RESULTS], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", line.RESULTS], check=True)
    return lambda: subprocess.run(["umount", "-l", line.RESULTS], check=True)
