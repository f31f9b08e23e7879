"""The directory <base>/<host> of the SSH user, made by root where the user may not. Runs on the hosts (Python 3.8).

Root makes it only below directories that nobody else can change, so that no link can lead it elsewhere; what is there
already keeps its owner and its mode.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BARE = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotRoots(Exception):
    """A sentence: the way to the directory is not root's alone."""


@contextmanager
def nearest(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """A descriptor of the deepest directory that there is on the way to `path`, and the names that are missing."""
    names = path.parts[1:]
    descriptor = os.open("/", os.O_PATH | BARE)
    try:
        for n, name in enumerate(names):
            here = Path("/", *names[:n])
            status = os.fstat(descriptor)
            if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise NotRoots(f"{here} can be changed by others than root")
            try:
                below = os.open(name, os.O_PATH | BARE, dir_fd=descriptor)
            except FileNotFoundError:
                yield descriptor, names[n:]
                return
            except NotADirectoryError:
                raise NotRoots(f"{here / name} is a link, or no directory") from None
            os.close(descriptor)
            descriptor = below
        yield descriptor, ()
    finally:
        os.close(descriptor)


def obstacle(path: Path) -> str | None:
    """Why root would not make this directory; None: it would. Any account may ask."""
    if not path.is_absolute():
        return f"{path} does not begin with /"
    try:
        with nearest(path) as (_, missing):
            return None if missing else f"{path} is there, and belongs to another"
    except NotRoots as refusal:
        return str(refusal)
    except OSError as error:
        return f"{error.filename or path}: {error.strerror}"


def make(path: Path, owner: int, group: int) -> bool:
    """Make what is missing, the last directory for the owner; returns whether that was made.

    Hosts that share a kernel are prepared and put back at the same time: what another made or removed in between is
    looked at again.
    """
    umask = os.umask(0o022)
    try:
        while True:
            with nearest(path) as (descriptor, missing):
                if not missing:
                    return False
                with suppress(FileExistsError, FileNotFoundError):
                    os.mkdir(missing[0], 0o755, dir_fd=descriptor)
                    if missing[1:]:
                        continue
                    made = os.open(missing[0], os.O_RDONLY | BARE, dir_fd=descriptor)
                    os.fchown(made, owner, group)
                    os.close(made)
                    return True
    finally:
        os.umask(umask)


def remove_empty(path: Path) -> bool:
    """Remove the directory, and the one above it, where they are empty; returns whether one was."""
    removed = False
    for place in (path, path.parent):
        with suppress(NotRoots, OSError), nearest(place.parent) as (descriptor, missing):
            if not missing:
                os.rmdir(place.name, dir_fd=descriptor)
                removed = True
    return removed
