"""What root keeps of a kernel between tuning it and putting it back: /run/c10k. Runs on the hosts (Python 3.8).

The measured server runs as the account that SSH logs in with, and is not trusted. So nothing that root believes lies
where that account could write: the directory and all in it are root's alone, and gone with the boot.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from .c10k_tree import read_plain, sync_directory, write_whole

PLACE = "/run/c10k"
SCOPES = ("netns", "global")
FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""PROC_PID_INIT_INO: the number of the machine's own namespace of process ids, on every kernel."""
SO_NETNS_COOKIE = 71
MOST_TOLD = 1 << 16


class Distrusted(Exception):
    """A sentence: the directory, or a file in it, is not as root left it."""


def namespace() -> str:
    """The name of this network namespace, which no later one of this boot gets: its cookie, else (before Linux 5.14)
    its inode."""
    with socket.socket(socket.AF_UNIX) as any_socket:
        try:
            (cookie,) = struct.unpack("=Q", any_socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))
        except OSError:
            return f"inode {Path('/proc/self/ns/net').stat().st_ino}"
    return f"cookie {cookie}"


def in_container() -> bool:
    """Is /run another one than the machine's, as in a container? What others save of the machine is not seen there."""
    if Path("/proc/self/ns/pid").stat().st_ino != FIRST_PID_NAMESPACE:
        return True
    try:
        return not Path("/proc/1/root/run").samefile("/run")
    except OSError:  # nobody may look through process 1 here
        return False


class State:
    """For each scope the originals: {"net.core.somaxconn": {"original": "4096", "asked": ["65535"]}}."""

    def __init__(self, place: str, boot: str, inode: int, name: str) -> None:
        self.place, self.notice = Path(place), Path(f"{place}.lock")
        self.boot, self.name = boot, name
        self.files = {"netns": self.place / f"netns-{inode}.json", "global": self.place / "global.json"}

    # The directory ---------------------------------------------------------------------------------------------------

    @contextmanager
    def held(self, make: bool) -> Iterator[bool]:
        """One of our modules at a time; yields whether the directory is there. An empty one goes at the end."""
        descriptor = self.grasp(make)
        if descriptor is None:
            yield False
            return
        try:
            yield True
        finally:
            for rest in self.place.glob(".*"):  # of a write that was cut short
                rest.unlink()
            if not list(self.place.iterdir()):
                self.place.rmdir()
            os.close(descriptor)

    def grasp(self, make: bool) -> int | None:
        """Its descriptor, locked."""
        while True:
            if make:
                with suppress(FileExistsError):
                    self.place.mkdir(mode=0o700)
            try:
                descriptor = os.open(str(self.place), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except FileNotFoundError:
                if make:
                    continue
                return None
            except (NotADirectoryError, PermissionError):
                raise Distrusted(
                    f"{self.place} is not a directory of root's: see what made it, and remove it."
                ) from None
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                os.close(descriptor)
                whose = f"belongs to user {status.st_uid} with mode {stat.S_IMODE(status.st_mode):04o}"
                raise Distrusted(f"{self.place} {whose}, not to root with 0700: see what changed it, and remove it.")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(status, os.lstat(str(self.place))):
                    return descriptor
            os.close(descriptor)  # it was removed while we waited

    # What lies in it -------------------------------------------------------------------------------------------------

    def load(self, scope: str) -> dict[str, Any]:
        """run, originals; {} where nothing is saved. What another boot or an earlier namespace of this number saved is
        void. Distrusted: what is there cannot be read, so nobody knows what was changed."""
        path = self.files[scope]
        try:
            text, owner = read_plain(path)
            state = json.loads(text)
            whole = owner == os.geteuid() and all(
                isinstance(saved["original"], str) and all(isinstance(value, str) for value in saved["asked"])
                for saved in state["originals"].values()
            )
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            whole = False
        if not whole:
            raise Distrusted(
                f"{path} is damaged, so what was changed is not known: set right what `sysctl -a` shows, and remove it."
            )
        valid = state.get("boot_id") == self.boot and (scope == "global" or state.get("netns") == self.name)
        return state if valid else {}

    def save(self, scope: str, run: str, originals: Mapping[str, Mapping[str, Any]]) -> None:
        """On the disk, whole, before this returns; without originals the file goes."""
        path = self.files[scope]
        if originals:
            state = {
                "version": 2, "boot_id": self.boot, "netns": self.name, "scope": scope, "run": run,
                "originals": originals,
            }  # fmt: skip
            write_whole(path, json.dumps(state, indent=1, sort_keys=True), mode=0o600)
        else:
            path.unlink(missing_ok=True)
            sync_directory(self.place)
        self.tell(path.stem, run if originals else None)

    # What everybody may know, and lock -------------------------------------------------------------------------------

    def open_notice(self) -> TextIO:
        """The file that a run locks, made where it is not there; it is never replaced, since a lock is on the file."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(str(self.notice), flags, 0o644)
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise Distrusted(f"{self.notice} is not a file of root's: see what made it, and remove it.")
        os.fchmod(descriptor, 0o644)  # whatever the umask
        return os.fdopen(descriptor, "r+", encoding="utf-8")

    def tell(self, name: str, run: str | None) -> None:
        """Note which run has tuned, for those who may not read the originals."""
        with self.open_notice() as file:
            told = noted(file.read(MOST_TOLD))
            told.pop(name, None)
            if run:
                told[name] = run
            file.seek(0)
            file.truncate()
            json.dump(told, file)


def tuned_by(inode: int, place: str = PLACE) -> list[str]:
    """The runs that have changed this kernel and not put it back; for every account."""
    try:
        text, owner = read_plain(Path(f"{place}.lock"))
    except (OSError, ValueError):
        return []
    told = noted(text) if owner in (0, os.geteuid()) else {}
    return sorted({told[name] for name in (f"netns-{inode}", "global") if name in told})


def noted(text: str) -> dict[str, str]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(name): str(run) for name, run in told.items()} if isinstance(told, dict) else {}
