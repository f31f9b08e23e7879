"""What the account of a host can do to the logs of a run, before they are packed and while they are fetched."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests import harm
from tests.harm import Mend, nothing

PART_BYTES = 8 << 20
"""An archive comes in such parts, each by a task of its own."""
LONGEST_S = 120


def logs(host: str, run: str) -> Path:
    """Of the first trial."""
    return harm.BASE / host / "runs" / run / "001"


def when_it_is_fetched(host: str, run: str, spoil: Callable[[Path], object]) -> Mend:
    """Make the archive so large that it comes in two parts, and spoil it on the host as soon as it is there."""
    (logs(host, run) / "more.log").write_bytes(os.urandom(PART_BYTES + (PART_BYTES >> 1)))
    archive, over = harm.BASE / host / f"collect-{run}.tar.gz", threading.Event()
    deadline = time.monotonic() + LONGEST_S

    def watch() -> None:
        while not archive.exists() and time.monotonic() < deadline and not over.wait(0.005):
            pass
        if archive.exists():
            spoil(archive)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()

    def mend() -> None:
        over.set()
        watcher.join()

    return mend


def replaced(host: str, run: str) -> Mend:
    """By another file of the same size."""

    def spoil(archive: Path) -> None:
        other = archive.with_name(".other")
        other.write_bytes(bytes(archive.stat().st_size))
        other.replace(archive)

    return when_it_is_fetched(host, run, spoil)


def cut(host: str, run: str) -> Mend:
    return when_it_is_fetched(host, run, lambda archive: os.truncate(archive, PART_BYTES // 2))


def pipe(host: str, run: str) -> Mend:
    """Nobody would ever read to its end what is written there."""
    journal = logs(host, run) / "agent.jsonl"
    journal.unlink()
    os.mkfifo(journal)
    return nothing


def removed(host: str, run: str) -> Mend:
    shutil.rmtree(logs(host, run))
    return nothing
