"""results/<run>: the manifest, the link to the newest run, and what the hosts sent. On the controller."""

import gzip
import json
import os
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from contracts.judge import nearest
from planner.parameters import Refused
from plugins.module_utils.c10k_host import RUN_ID as RUN_ID
from plugins.module_utils.c10k_host import start_ticks
from plugins.module_utils.c10k_tree import digest, write_whole

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
CODE = (
    "contracts/", "planner/", "playbooks/", "plugins/", "conductor/", "server/", "loadgen/", "analysis/", "scenarios/",
)  # fmt: skip
"""Where a file that git does not know of may be part of a run."""
DERIVED = ("manifest.json", "report.html", "dataset", "export")
EXITS = {0: "ok", 130: "interrupted"}
MOST_AT_ONCE, MOST_UNPACKED, MOST_FILES, MOST_NAMES = 1 << 18, 4 << 30, 1 << 17, 1 << 24
"""Bytes that an archive of logs may ask to have in memory, and holds unpacked; its files and directories, and the bytes
of all their names. A host's word for it is not believed: a few kilobytes can unpack to a full disk."""


def utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_manifest(run: Path, manifest: Mapping[str, Any]) -> None:
    write_whole(run / "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def read_manifest(run: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return manifest if isinstance(manifest, dict) else None


def trials(run: Path) -> list[dict[str, Any]]:
    """What became of each trial, in order; nothing is known of one whose file is damaged."""
    found: list[dict[str, Any]] = []
    for path in sorted((run / "trials").glob("*/trial.json")):
        try:
            found.append(dict(json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError):
            found.append({})
    return found


def write_plan(run: Path, plan: Mapping[str, Any]) -> None:
    run.mkdir(parents=True, exist_ok=True)
    # plan.yml is read by people too: in a copy by way of JSON nothing is shared, so YAML writes no alias.
    write_whole(run / "plan.yml", yaml.safe_dump(json.loads(json.dumps(plan)), sort_keys=False, width=120))


def point_latest(run: Path) -> None:
    """results/latest never points nowhere, not even for a moment."""
    link = run.parent / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(run.name)
    link.replace(run.parent / "latest")


def claim(run: Path, owner: int) -> None:
    """Note the process that owns this run, so that nobody collects the run while it goes on."""
    write_whole(run / ".owner", json.dumps({"pid": owner, "start_ticks": start_ticks(owner)}))


def goes_on(run: Path) -> bool:
    """Does the playbook of this run still live?"""
    try:
        owner = json.loads((run / ".owner").read_text(encoding="utf-8"))
        ticks = start_ticks(owner["pid"])
        return ticks is not None and bool(owner["start_ticks"] == ticks)
    except (OSError, ValueError, KeyError):
        return False


def there(given: Mapping[str, Any]) -> str | None:
    """The id of the run of these arguments of c10k_measure, where it has a directory already."""
    run = str(given["resolved"]["run"])
    return run if (RESULTS / run).is_dir() else None


def find(wanted: str | None) -> Path:
    """The directory of a run, where it is or would be: by its id, or the newest."""
    if wanted in (None, "latest"):
        if not (RESULTS / "latest").exists():
            raise Refused(["There is no run under results/ yet; name one with -e run=ID."])
        return (RESULTS / "latest").resolve()
    name = Path(str(wanted)).name
    if not RUN_ID.fullmatch(name):
        raise Refused([f"run={wanted} is not the id of a run, which looks like 20261122T190312Z-3f9a1c, nor `latest`."])
    return RESULTS / name


def is_here(run: str) -> bool:
    """Whether this checkout knows the run of this id: hosts may have others' too."""
    return (RESULTS / Path(run).name).is_dir()


def existing(wanted: str | None) -> Path:
    """The directory of a run that there is."""
    run = find(wanted)
    if not run.is_dir():
        there = [path.name for path in RESULTS.glob("*") if RUN_ID.fullmatch(path.name)]
        raise Refused([f"There is no run {run.name} under results/{nearest(run.name, there) or '.'}"])
    return run


def file_hashes(run: Path) -> dict[str, dict[str, Any]]:
    """Hash and size of every recorded file; analysis can make its own files again, with other bytes."""
    found = {}
    for path in sorted(run.rglob("*")):
        relative = path.relative_to(run)
        if not path.is_file() or path.is_symlink() or path.name.startswith(".") or relative.parts[0] in DERIVED:
            continue
        found[str(relative)] = {"sha256": digest(path), "bytes": path.stat().st_size}
    return found


def git_state() -> dict[str, Any]:
    """Commit of the checkout, and whether it differs from that: in a file of the commit, or by one among the code. A
    picture that somebody wrote into the checkout is no change of what ran."""

    def git(*words: str) -> str | None:
        try:
            answer = subprocess.run(
                ["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    if changes is None:
        return {"commit": commit, "dirty": None}
    stray = tuple(f"?? {place}" for place in CODE)
    is_dirty = any(not one.startswith("?? ") or one.startswith(stray) for one in changes.splitlines())
    return {"commit": commit, "dirty": is_dirty}


def end(manifest: Mapping[str, Any], run: Path, exit_code: int, overhead: Mapping[str, Any] | None) -> dict[str, Any]:
    with suppress(OSError):  # where it must stay, its process ends soon
        (run / ".owner").unlink()
    status = EXITS.get(exit_code, "failed")
    return {
        **manifest, "status": status, "exit": exit_code, "overhead": overhead, "ended_utc": utc_now(),
        "files": file_hashes(run),
    }  # fmt: skip


class Unpacked(gzip.GzipFile):
    """What a compressed archive holds, as long as it is not too much."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= MOST_AT_ONCE or self.tell() > MOST_UNPACKED:
            raise ValueError(f"the archive unpacks to more than {MOST_UNPACKED >> 30} GiB, or is none of ours")
        return super().read(size)


def unpack(archive: Path, place: Path) -> int:
    """Put a host's logs, a directory for each trial, in place of what was there of these trials, whole or not at all;
    returns the number of files that came.

    Only plain files below `place` are taken. The filter of tarfile for that came with Python 3.11.4, and Debian 12 has
    3.11.2. An archive that is damaged, too large, or holds anything else raises ValueError, and changes nothing.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}-fetched")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with Unpacked(archive) as content, tarfile.open(fileobj=content, mode="r:") as packed:
            files = unpacked_into(fresh, packed)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OSError, RecursionError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        if isinstance(error, OSError | ValueError) and not isinstance(error, gzip.BadGzipFile):
            raise
        raise ValueError(f"the archive is damaged ({error})") from None
    fresh.mkdir(exist_ok=True)
    place.mkdir(exist_ok=True)
    for one in list(fresh.iterdir()):  # an earlier part of the run, collected before, stays
        shutil.rmtree(place / one.name, ignore_errors=True)
        one.replace(place / one.name)
    fresh.rmdir()
    return files


def unpacked_into(place: Path, packed: tarfile.TarFile) -> int:
    """tarfile keeps every member in memory, directories too."""
    files = named = 0
    for n, member in enumerate(packed):
        named += len(member.name) + len(member.linkname) + sum(map(len, member.pax_headers.values()))
        if n >= MOST_FILES or named > MOST_NAMES:
            raise ValueError(f"the archive holds more than {MOST_FILES} files, or names without end")
        name = PurePosixPath(member.name)
        if member.isdir():
            continue
        content = None if member.issparse() or not member.isfile() else packed.extractfile(member)
        if content is None or name.is_absolute() or ".." in name.parts or not member.name.isprintable():
            raise ValueError(f"the archive holds {member.name}, which is no log file")
        files += 1
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
    return files
