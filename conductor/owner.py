"""The playbook that a process of ours belongs to: its end is an interruption, and one that is stopped is woken."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from conductor.inbox import Inbox, Interrupt

LOOK_EVERY_S = 10.0
WOKEN_AFTER = 12
"""Looks in a row: two minutes. What is only suspended to type another command, or for `bg`, is left alone."""
STOPPED = "T"


def watch(pid: int, inbox: Inbox) -> None:
    """Interrupt when the process ends. A killed playbook leaves its worker and our pipes: EOF does not come."""
    gone = Interrupt(f"its owner, process {pid}, is gone")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        inbox.put(gone)
        return

    def wait() -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        inbox.put(gone)

    threading.Thread(target=wait, name="owner", daemon=True).start()


def keep_awake(pid: int) -> None:
    """Wake the process, or a worker of it, that a signal (Ctrl-Z) has stopped for two minutes: it would leave its hosts
    tuned and locked for as long as it sleeps, and only it can put them back. Counts looks and not the clock: where this
    machine slept, nobody was stopped."""

    def look() -> None:
        looks: dict[int, int] = {}
        while True:
            time.sleep(LOOK_EVERY_S)
            looks = counted(looks, stopped(pid))
            for one in [one for one, number in looks.items() if number >= WOKEN_AFTER]:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(one, signal.SIGCONT)

    threading.Thread(target=look, name="waker", daemon=True).start()


def counted(looks: Mapping[int, int], now: Iterable[int]) -> dict[int, int]:
    """How many looks in a row each process that is stopped now has been."""
    return {pid: looks.get(pid, 0) + 1 for pid in now}


def stopped(pid: int) -> set[int]:
    """Of the process and its children those that a signal has stopped."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state == STOPPED and str(pid) in (entry.name, parent):
                found.add(int(entry.name))
    return found
