"""Which workers the agent disturbs, and when: on real processes, with times that are given."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.disturbance import parse
from server import slots
from server.agent.disturber import Disturber
from server.linux.processes import Tree, stat
from tests.unit.server.harness import alive, eventually

MS = 1_000_000


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[list[int]]:
    """Two processes that wait, with a slot each in stats.bin."""
    path = tmp_path / "stats.bin"
    slots.create(path, 2)
    started = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2)]
    words = slots.table(path, 2)
    for index, process in enumerate(started):
        words[index * slots.WORDS + slots.PID] = process.pid
    yield [process.pid for process in started]
    for process in started:
        process.kill()
        process.wait()


def state(pid: int) -> str:
    one = stat(pid)
    return one.state if one else "gone"


def disturber(asked: str, path: Path, tree: Tree) -> Disturber:
    return Disturber(parse(asked), slots.Reader(path / "stats.bin"), tree)


def test_a_stall_of_each_in_its_turn(workers: list[int], tmp_path: Path) -> None:
    it = disturber("stall:100ms/1s", tmp_path, Tree())
    assert it.due_ns() == sys.maxsize
    it.start(5_000 * MS)
    assert it.due_ns() == 6_000 * MS
    for turn in range(3):
        first, other = workers[turn % 2], workers[1 - turn % 2]
        it.act((6_000 + 1_000 * turn) * MS + 7)
        eventually(lambda pid=first: state(pid) == "T", "it stands still")  # type: ignore[misc]
        assert state(other) != "T"
        assert it.due_ns() == (6_100 + 1_000 * turn) * MS + 7
        it.act((6_130 + 1_000 * turn) * MS)
        eventually(lambda pid=first: state(pid) != "T", "it goes on")  # type: ignore[misc]
        assert (it.times, it.due_ns()) == (turn + 1, (7_000 + 1_000 * turn) * MS)


def test_an_agent_that_is_late_leaves_periods_out(workers: list[int], tmp_path: Path) -> None:
    it = disturber("stall:100ms/1s", tmp_path, Tree())
    it.start(0)
    it.act(4_300 * MS)
    it.act(5_990 * MS)
    assert (it.times, it.due_ns()) == (1, 6_000 * MS)
    assert "T" not in map(state, workers)


def test_the_end_leaves_nobody_standing_still(workers: list[int], tmp_path: Path) -> None:
    it = disturber("stall:1s/2s", tmp_path, Tree())
    it.start(0)
    it.act(2_000 * MS)
    eventually(lambda: state(workers[0]) == "T", "it stands still")
    it.end()
    eventually(lambda: state(workers[0]) != "T", "it goes on")
    assert it.due_ns() == sys.maxsize


def test_a_restart_ends_one_and_no_more(workers: list[int], tmp_path: Path) -> None:
    it = disturber("restart/1s", tmp_path, Tree())
    it.start(0)
    it.act(1_000 * MS)
    eventually(lambda: state(workers[0]) == "Z", "it ended")
    assert (it.times, it.due_ns(), alive(workers[1])) == (1, 2_000 * MS, True)


def test_what_is_no_descendant_is_left_alone(workers: list[int], tmp_path: Path) -> None:
    """The measured server writes the pids, and is not trusted."""
    it = disturber("restart/1s", tmp_path, Tree(workers[1]))
    words = slots.table(tmp_path / "stats.bin", 2)
    for pid in (workers[0], os.getpid(), 0, 1, 2**64 - 1):
        words[slots.PID] = pid
        it.start(0)
        it.act(1_000 * MS)
        assert (it.times, alive(workers[0]), it.due_ns()) == (0, True, 2_000 * MS)
