"""A newcomer's first minutes: a fresh clone, an empty home, a clean environment, one command; what the screen shows."""

import os
import pty
import re
import select
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import line
from tests.pythons import interpreter

KEPT = re.compile(r"PIP_\w+|GO(PROXY|SUMDB|NOSUMDB|PRIVATE|INSECURE)|(https?|no|all)_proxy|SSL_CERT_\w+", re.I)
"""What tells a package client where to ask: nothing of the project."""
USER, UID = "c10kfirst", 42_425
AS_USER = """\
mount --bind {place}/passwd /etc/passwd
exec setpriv --reuid={uid} --regid={uid} --clear-groups -- "$@"
"""
"""In a file system of his own, so that this machine gets no account."""
TABLE = "────────"
GIVE_UP_S = 900


@dataclass(frozen=True)
class Cell:
    """One newcomer. `python` and `go` are what he has (none: whatever is found), `folder` where his clone is."""

    name: str
    folder: str = "c10k"
    is_root: bool = True
    locale: str | None = None
    python: str | None = None
    has_old_go: bool = False
    is_elsewhere: bool = False


@dataclass(frozen=True)
class Seen:
    """What he saw: when the first table came (None: never), the longest time without anything new, and how it ended."""

    table_s: float | None
    longest_gap_s: float
    before_it: str
    whole_s: float
    status: int
    said: str


def attempt(cell: Cell, words: Sequence[str] = ()) -> Seen:
    """script/benchmark with these words, in a clone of the last commit."""
    with place_of(cell) as place:
        checkout = place / cell.folder
        subprocess.run(["git", "clone", "-q", str(line.ROOT), str(checkout)], check=True)
        if not cell.is_root:
            subprocess.run(["chown", "-R", f"{UID}:{UID}", str(place)], check=True)
        return watched([str(checkout / "script/benchmark"), *words], cell, place)


@contextmanager
def place_of(cell: Cell) -> Iterator[Path]:
    """A directory with a home and, where the cell asks for it, a Go that is too old."""
    place = Path(tempfile.mkdtemp(prefix="c10k-first-"))
    try:
        place.chmod(0o755)
        (place / "home").mkdir()
        own = f"{USER}:x:{UID}:{UID}::{place}/home:/bin/sh\n"
        (place / "passwd").write_text(Path("/etc/passwd").read_text() + own)
        if cell.has_old_go:
            go = place / "old/go"
            go.parent.mkdir()
            go.write_text("#!/bin/sh\necho go1.19.8\n")
            go.chmod(go.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        yield place
    finally:
        shutil.rmtree(place)


def environment(cell: Cell, place: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin"
    given |= {"PATH": f"{place / 'old'}:{path}" if cell.has_old_go else path, "HOME": str(place / "home")}
    given |= {"LC_ALL": cell.locale} if cell.locale else {"LANG": "C.UTF-8"}
    return given | ({"PYTHON": cell.python} if cell.python else {}) | {"TERM": "xterm"}


def watched(command: Sequence[str], cell: Cell, place: Path) -> Seen:
    """The command at a terminal of its own."""
    ours, its = pty.openpty()
    if not cell.is_root:
        become = ["sh", "-euc", AS_USER.format(place=place, uid=UID), "as-user"]
        command = ["unshare", "--mount", "--propagation", "private", *become, *command]
    began = last = time.monotonic()
    process = subprocess.Popen(
        command, cwd="/" if cell.is_elsewhere else place / cell.folder, env=environment(cell, place), stdin=its,
        stdout=its, stderr=its, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    said, table_s, gap_s, before = b"", None, 0.0, ""
    while True:
        if not select.select([ours], [], [], GIVE_UP_S)[0]:
            os.killpg(process.pid, 9)
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # nobody has the other end any more
            data = b""
        now = time.monotonic()
        if now - last > gap_s:
            gap_s, before = now - last, said.decode(errors="replace").rstrip().rpartition("\n")[2]
        last = now
        if not data:
            break
        said += data
        if table_s is None and TABLE in said.decode(errors="replace"):
            table_s = now - began
    os.close(ours)
    status = process.wait()
    return Seen(table_s, gap_s, before, last - began, status, said.decode(errors="replace").replace("\r", ""))


CELLS = (
    Cell("root"),
    Cell("ordinary user", is_root=False),
    Cell("space and umlaut", folder="my bänch/c10k"),
    Cell("LC_ALL=C", locale="C"),
    *(Cell(f"Python {one}", python=interpreter(one)) for one in ("3.11", "3.12", "3.13")),
    Cell("old Go first in PATH", has_old_go=True),
    Cell("from another directory", is_elsewhere=True),
    Cell("all at once", "my bänch/c10k", is_root=False, locale="C", has_old_go=True, is_elsewhere=True),
)
