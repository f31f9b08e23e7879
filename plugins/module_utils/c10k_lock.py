"""One run at a time on a kernel: the lock that a run holds from its gate to its end. Runs on the hosts (Python 3.8).

The conductor sends this very text to each host, `python3 -c TEXT RUN SECONDS PLACE`: nothing of ours need be there yet.
It runs as the SSH user and opens what it locks for reading only, so that with it one can refuse a run, and no more.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LOCK = "/run/c10k.lock"
"""Made by root, where the SSH user may become root."""
SILENCE_S = 10
"""Without a word for so long the controller is gone, or the link is cut."""


class Taken(Exception):
    """Somebody else has the lock: his process id and run, each None where nobody knows."""

    def __init__(self, pid: int | None, run: str | None) -> None:
        who, where = f"run {run}" if run else "another program", f" (process {pid} there)" if pid else ""
        super().__init__(who + where)
        self.pid, self.run = pid, run


def take(path: str, run: str, wait_s: float) -> int:
    """The descriptor that holds the lock of a file or directory. Another process of the same run may have it: then
    there are several hosts on this kernel."""
    deadline = time.monotonic() + wait_s
    while True:
        place = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(place), Path(path).stat()):
                return place
        except BlockingIOError:
            pid, command = holder(place)
            if run in command and is_own(pid):
                return place
            if time.monotonic() > deadline:
                os.close(place)
                raise Taken(pid, run_of(command)) from None
        os.close(place)
        time.sleep(0.2)


def holder(place: int) -> tuple[int | None, list[str]]:
    """Process id and command line of who has locked the open file, as far as the kernel tells."""
    wanted = os.fstat(place)
    with open("/proc/locks") as locks:
        for line in locks:  # 1: FLOCK  ADVISORY  WRITE 4711 00:17:1234 0 EOF
            words = line.split()
            if words[1] != "FLOCK":
                continue
            major, minor, inode = words[5].split(":")
            if (os.makedev(int(major, 16), int(minor, 16)), int(inode)) != (wanted.st_dev, wanted.st_ino):
                continue
            try:
                with open(f"/proc/{words[4]}/cmdline", "rb") as command:
                    return int(words[4]), command.read(1 << 17).decode(errors="replace").split("\0")
            except OSError:
                return int(words[4]), []
    return None, []


def run_of(command: Iterable[str]) -> str | None:
    """The run that a command line names."""
    runs = (re.search(r"\d{8}T\d{6}Z-[0-9a-f]{6}", word) for word in command)
    return next((found.group() for found in runs if found), None)


def locked_by(*places: str) -> dict[str, Any] | None:
    """Who holds the lock of the first of these files and directories that is locked, `pid` and `run`, each None where
    nobody knows; None where none is. Takes no lock."""
    for path in places:
        try:
            place = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            pid, command = holder(place)
        except (OSError, ValueError, IndexError):
            continue
        finally:
            os.close(place)
        if pid is not None:
            return {"pid": pid, "run": run_of(command)}
    return None


def is_own(pid: int | None) -> bool:
    """Is it a process of this user? Any other could claim to be of our run, and let go when it likes."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid == os.geteuid()
    except OSError:
        return False


def main(run: str, wait_s: str, path: str) -> None:
    """Take the lock, say one line of JSON, and hold on until the input ends or is silent."""
    said: dict[str, Any] = {"held": True}
    try:
        if path != LOCK:  # a directory of the SSH user's own, wherever it is
            Path(path).mkdir(parents=True, exist_ok=True)
        take(path, run, float(wait_s))
    except Taken as taken:
        said = {"held": False, "by": str(taken)}
    except OSError as error:
        said = {"held": False, "problem": f"{path}: {error.strerror}"}
    print(json.dumps(said), flush=True)
    while said["held"] and select.select([0], [], [], SILENCE_S)[0] and os.read(0, 4096):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
