"""A copy of files on a host: compared by content, changed only where it differs. Runs on the hosts (Python 3.8)."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import Any


def digest(path: Path) -> str:
    sha = hashlib.sha256()
    with open(str(path), "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha.update(block)
    return sha.hexdigest()


def ours(path: Path) -> bool:
    """Python's own cache comes and goes by itself."""
    return "__pycache__" not in path.parts


def listing(source: Path, name: str, mode: int = 0) -> dict[str, Any]:
    """{"server/core.py": {"sha256": …, "mode": 420}} of a directory, or of a single file, by its name on the host."""
    if source.is_file():
        return {name: {"sha256": digest(source), "mode": mode or 0o644}}
    found = {}
    for path in sorted(source.rglob("*")):
        if path.is_file() and ours(path.relative_to(source)):
            executable = bool(path.stat().st_mode & stat.S_IXUSR)
            found[f"{name}/{path.relative_to(source)}"] = {
                "sha256": digest(path),
                "mode": 0o755 if executable else 0o644,
            }
    return found


def compare(home: Path, wanted: dict[str, Any], name: str) -> dict[str, list[str]]:
    """What must be sent, what must only change its mode, and what is there too much."""
    send, chmod = [], []
    for relative, entry in wanted.items():
        path = home / relative
        if path.is_symlink() or not path.is_file() or digest(path) != entry["sha256"]:
            send.append(relative)
        elif stat.S_IMODE(path.stat().st_mode) != entry["mode"]:
            chmod.append(relative)
    tree = home / name
    present = [p for p in tree.rglob("*") if p.is_file() or p.is_symlink()] if tree.is_dir() else []
    gone = [
        str(p.relative_to(home))
        for p in present
        if ours(p.relative_to(home)) and str(p.relative_to(home)) not in wanted
    ]
    return {"send": send, "chmod": chmod, "remove": sorted(gone)}


def pack(source: Path, name: str, chosen: list[str]) -> bytes:
    """The chosen files, without owners and times."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for relative in chosen:
            path = source if relative == name else source / relative[len(name) + 1 :]
            info = tarfile.TarInfo(relative)
            info.size = path.stat().st_size
            with open(str(path), "rb") as file:
                archive.addfile(info, file)
    return buffer.getvalue()


def install(home: Path, wanted: dict[str, Any], archive_path: str) -> None:
    """Each file whole or not at all, so that a running agent never reads half of one."""
    with tarfile.open(archive_path, mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if member.name not in wanted or content is None:
                raise ValueError(f"the archive holds {member.name}, which was not asked for")
            place = home / member.name
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=str(place.parent), prefix=".shipping-")
            with os.fdopen(handle, "wb") as file:
                shutil.copyfileobj(content, file)
            Path(name).chmod(wanted[member.name]["mode"])
            Path(name).replace(place)
