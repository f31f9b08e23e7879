"""Files that may come from anybody: results are sent, unpacked, downloaded. Only a regular file is read, where it
is, and none without end: a FIFO would hang, a device or a sparse file never ends, a link leads out of the run."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

MOST_BYTES = 1 << 30
"""Of a file. An hour of ten clients writes a tenth of it."""
SMALL_BYTES = 32 << 20
"""Of a document that is read as a whole: a manifest, a plan, a baseline."""


def opened(path: Path, most_bytes: int = MOST_BYTES) -> BufferedReader:
    """The file, to read. OSError, whose strerror says why, for anything but a regular file of at most so many bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except ValueError as error:
        raise OSError(errno.EINVAL, "no file has such a name") from error  # such as one with a NUL
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link") from error
        raise
    if why := _unfit(os.fstat(descriptor), most_bytes):
        os.close(descriptor)
        raise OSError(errno.EINVAL, why)
    return os.fdopen(descriptor, "rb")


def _unfit(found: os.stat_result, most_bytes: int) -> str | None:
    if stat.S_ISDIR(found.st_mode):
        return os.strerror(errno.EISDIR)
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    if found.st_size > most_bytes:
        return f"it has {found.st_size:,} bytes, more than the {most_bytes:,} that are read"
    return None


def content(path: Path, most_bytes: int = SMALL_BYTES) -> bytes:
    """All bytes of it; OSError as `opened`."""
    with opened(path, most_bytes) as file:
        # It may grow meanwhile.
        return file.read(most_bytes)


def within(directory: Path, name: str) -> Path:
    """The file of that name in a directory of a run. OSError where the name leads out of it or through a link, or says
    in another way what a shorter name says."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or str(path) != name:
        raise OSError(errno.EINVAL, "it is no name of a file within the run's directory")
    at = directory
    for part in path.parts[:-1]:
        at /= part
        if at.is_symlink():
            raise OSError(errno.ELOOP, f"{part} is a link")
    return directory / path
