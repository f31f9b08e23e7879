"""Starts the strategy, or the user's own server, as a child process, and ends it with all that it started."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from server.linux import launch
from server.linux.log import Log
from server.linux.processes import Tree

TERM_S = 1.0  # from SIGTERM to SIGKILL
ROOT_FIRST_S = 0.5  # how long the child alone has, so that it can end its own children in order
KILL_S = 2.0  # from SIGKILL, or since the last process went, until those left are given up
STEP_S = 0.005


class Child:
    """A program started in a session of its own, on the given CPUs, with stdout and stderr going to `log`."""

    def __init__(self, command: list[str], cpus: set[int], log: Path) -> None:
        launcher = [sys.executable, "-I", "-S", launch.__file__]
        line = [*launcher, str(os.getpid()), ",".join(map(str, sorted(cpus))), *command]
        self.log = Log(log)
        self._code: int | None = None  # once it has ended: its status, or minus a signal
        self._others = True
        self._process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=self.log.writer, stderr=self.log.writer)
        self.log.started()
        self.pid = self._process.pid

    def ended(self) -> bool:
        """The child has ended. This also reaps every other descendant that ended and has no parent but this process."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self.pid:
                    self._code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            self._others = False
        return self._code is not None

    @property
    def left_others(self) -> bool:
        """The child ended well and descendants of it go on, as those of a daemon do. All of them become ours."""
        return self.exit == 0 and self._others

    @property
    def exit(self) -> int | None:
        return self._code if self._code is not None and self._code >= 0 else None

    @property
    def signal(self) -> int | None:
        return -self._code if self._code is not None and self._code < 0 else None

    def how_it_ended(self) -> str:
        """The status or the signal, and the last line that the child wrote, in words."""
        how = f"with status {self.exit}" if self.exit is not None else f"by signal {self.signal}"
        said = self.log.last_line()
        return f"{how}; its last words: {said}" if said else f"{how}, without a word"

    def end(self, tree: Tree) -> set[int]:
        """End the child and every descendant: SIGTERM, then SIGKILL after 1 s. The pids that even that left alive.

        The kernel takes seconds for thousands of processes: as long as they become fewer, they are waited for.
        """
        begin = time.monotonic()
        fewest, fewer_at = sys.maxsize, begin
        asked: set[int] = set()
        if not self.ended():
            _signal(self.pid, signal.SIGTERM)
            asked.add(self.pid)
        while True:
            left = {pid for pid, one in tree.look().items() if one.alive}
            passed = time.monotonic() - begin
            ended = self.ended()  # after the look: what was not there any more is reaped now
            if len(left) < fewest:
                fewest, fewer_at = len(left), time.monotonic()
            if (ended and not left) or (passed > TERM_S + KILL_S and time.monotonic() > fewer_at + KILL_S):
                return left
            if passed > TERM_S:
                for pid in left:
                    _signal(pid, signal.SIGKILL)
            elif ended or passed > ROOT_FIRST_S:
                for pid in left - asked:
                    _signal(pid, signal.SIGTERM)
                asked |= left
            time.sleep(STEP_S)


def _signal(pid: int, number: int) -> None:
    """Signal a process that is known to be a descendant: nobody else reaps it, so its pid is still its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def rusage() -> dict[str, int]:
    """What the descendants used that have ended and were waited for; `max_rss_bytes` is that of the largest."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "cpu_user_ns": round(used.ru_utime * 1e9),
        "cpu_system_ns": round(used.ru_stime * 1e9),
        "max_rss_bytes": used.ru_maxrss * 1024,
        "minor_faults": used.ru_minflt,
        "major_faults": used.ru_majflt,
        "voluntary_switches": used.ru_nvcsw,
        "involuntary_switches": used.ru_nivcsw,
    }
