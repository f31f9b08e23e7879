"""A copy of files on a host: compared by content, changed only where it differs. Runs on the hosts (Python 3.8)."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO


def digest(path: Path) -> str:
    sha = hashlib.sha256()
    with open(str(path), "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha.update(block)
    return sha.hexdigest()


def open_plain(path: Path) -> BinaryIO:
    """A file to read, where it is one: no link is followed, and nothing is waited for; else OSError."""
    file = os.fdopen(os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "is no plain file", str(path))


def read_plain(path: Path, most: int = 1 << 16) -> tuple[str, int]:
    """A small file, and the id of its owner; no size is believed. OSError, or ValueError."""
    with open_plain(path) as file:
        status = os.fstat(file.fileno())
        if status.st_size > most:
            raise ValueError(f"{path} is no small file")
        return file.read(most).decode(), status.st_uid


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """On the disk whole before this returns, or not at all, also after a power cut."""
    handle, name = tempfile.mkstemp(dir=str(path.parent), prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink()
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    directory = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def files(tree: Path) -> list[Path]:
    """All files and links of a directory, or the file itself; Python's own cache comes and goes by itself. However deep
    they lie: the tree may be the work of the measured server."""
    found, left = [], [tree]
    while left:
        place = left.pop()
        if place.is_symlink() or not place.is_dir():
            found += [place] if place.is_symlink() or place.is_file() else []
        elif place.name != "__pycache__":
            left += place.iterdir()
    return sorted(found)


def listing(source: Path, name: str) -> dict[str, Any]:
    """{"server/core.py": {"sha256": …, "mode": 420}} of a directory, or of a single file, by its name on the host."""
    found = {}
    for path in files(source):
        mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
        found[str(name / path.relative_to(source))] = {"sha256": digest(path), "mode": mode}
    return found


def compare(home: Path, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What must be sent, what must only change its mode, and what is there too much, of all that is wanted by name."""
    send, chmod, remove = [], {}, []
    for name, entries in wanted.items():
        for relative, entry in entries.items():
            path = home / relative
            if path.is_symlink() or not path.is_file() or digest(path) != entry["sha256"]:
                send.append(relative)
            elif stat.S_IMODE(path.stat().st_mode) != entry["mode"]:
                chmod[relative] = entry["mode"]
        present = [str(path.relative_to(home)) for path in files(home / name)]
        remove += [relative for relative in present if relative not in entries]
    return {"send": send, "chmod": chmod, "remove": remove}


def pack(sources: Mapping[str, Path], chosen: list[str]) -> bytes:
    """The chosen files, without owners and times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for relative in chosen:
            name, _, rest = relative.partition("/")
            path = sources[name] / rest
            info = tarfile.TarInfo(relative)
            info.size = path.stat().st_size
            with open(str(path), "rb") as file:
                archive.addfile(info, file)
    return buffer.getvalue()


def install(home: Path, wanted: Mapping[str, Mapping[str, Any]], archive_path: str) -> None:
    """Each file whole or not at all, so that a running agent never reads half of one."""
    modes = {relative: entry["mode"] for entries in wanted.values() for relative, entry in entries.items()}
    with tarfile.open(archive_path, mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if member.name not in modes or content is None:
                raise ValueError(f"the archive holds {member.name}, which was not asked for")
            place = home / member.name
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=str(place.parent), prefix=".shipping-")
            with os.fdopen(handle, "wb") as file:
                shutil.copyfileobj(content, file)
            Path(name).chmod(modes[member.name])
            Path(name).replace(place)
