"""Faults of tests/harm.py that a cgroup makes: too little memory, too little CPU, and the pause of a container."""

import contextlib
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests import harm, line
from tests.harm import Mend, Victim

CGROUPS = Path("/sys/fs/cgroup")


class Cgroup:
    """A new one, below the root of a controller's version 1 where this machine has it, else of version 2."""

    def __init__(self, controller: str) -> None:
        self.is_old = (CGROUPS / controller).is_dir()
        self.place = (CGROUPS / controller if self.is_old else CGROUPS) / f"c10k-fault-{os.getpid()}"
        if not self.is_old and controller != "freezer":  # every cgroup of version 2 has that
            (self.place.parent / "cgroup.subtree_control").write_text(f"+{controller}")
        self.place.mkdir()

    def set(self, old: str, new: str) -> None:
        """`file=value` as version 1 has it, and as version 2 does."""
        name, _, value = (old if self.is_old else new).partition("=")
        (self.place / name).write_text(value)

    def take(self, pids: Iterable[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (self.place / "cgroup.procs").write_text(str(pid))

    def members(self) -> list[str]:
        return (self.place / "cgroup.procs").read_text().split()

    def remove(self) -> None:
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                (self.place.parent / "cgroup.procs").write_text(pid)
        line.eventually("an empty cgroup", lambda: not self.members(), 10)
        self.place.rmdir()


def limited(controller: str, old: str, new: str, pids: Sequence[int]) -> Mend:
    cgroup = Cgroup(controller)
    cgroup.set(old, new)
    cgroup.take(pids)
    return cgroup.remove


def short_of_memory(victim: Victim, run: str) -> Mend:
    return limited("memory", "memory.limit_in_bytes=131072", "memory.max=131072", harm.find(victim, run))


def slow(victim: Victim, run: str) -> Mend:
    """A hundredth of a CPU."""
    return limited("cpu", "cpu.cfs_quota_us=1000", "cpu.max=1000 100000", harm.find(victim, run))


def pause(pids: Sequence[int], seconds: float | None) -> Mend:
    """What pausing a container does: no signal is seen, and in version 1 none is obeyed, SIGKILL neither. They wake
    after so many seconds, or when it is mended."""
    cgroup = Cgroup("freezer")
    cgroup.take(pids)
    cgroup.set("freezer.state=FROZEN", "cgroup.freeze=1")

    def thaw() -> None:
        cgroup.set("freezer.state=THAWED", "cgroup.freeze=0")

    alarm = threading.Timer(seconds, thaw) if seconds is not None else None
    if alarm:
        alarm.start()

    def mend() -> None:
        if alarm:
            alarm.join()
        thaw()
        cgroup.remove()

    return mend


def paused(victim: Victim, run: str) -> Mend:
    return pause(harm.find(victim, run), None)


def host_paused(host: str, seconds: float | None, _run: str) -> Mend:
    """All that runs in the network of a host: its sshd too."""
    return pause([process.pid for process in harm.processes_on(host)], seconds)
