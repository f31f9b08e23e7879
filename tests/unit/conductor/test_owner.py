"""A playbook that is stopped is woken, and so is a worker of it: nothing else can put its hosts back."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from conductor import owner
from conductor.inbox import Inbox
from tests import line

FAMILY = "import os, time; child = os.fork(); child and print(child, flush=True); time.sleep(60)"


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """A process and its child."""
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        try:
            yield parent.pid, child
        finally:
            for pid in (child, parent.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    line.eventually("stopped", lambda: state(pid) == "T", 10)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_who_is_stopped(family: tuple[int, int]) -> None:
    parent, child = family
    assert owner.stopped(parent) == set()
    stop(child)
    assert owner.stopped(parent) == {child}
    stop(parent)
    assert owner.stopped(parent) == {parent, child}
    assert owner.stopped(child) == {child}


def test_both_are_woken(family: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "LOOK_EVERY_S", 0.05)
    owner.keep_awake(family[0])
    for pid in family:
        stop(pid)
    line.eventually("both awake", lambda: owner.stopped(family[0]) == set(), 30)


def test_only_looks_in_a_row_count() -> None:
    looks: dict[int, int] = {}
    for now in ({1, 2}, {2}, {1, 2}):
        looks = owner.counted(looks, now)
    assert looks == {1: 1, 2: 3}


def test_the_end_of_the_owner_is_an_interruption(family: tuple[int, int]) -> None:
    inbox: Inbox = SimpleQueue()
    owner.watch(family[0], inbox)
    os.kill(family[0], signal.SIGKILL)
    assert "is gone" in str(inbox.get(timeout=30))
