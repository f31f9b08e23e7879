"""The end of a server whose processes the kernel takes long to end."""

from pathlib import Path

import pytest

from server.agent import child
from server.linux.processes import Stat, Tree

NOBODY = Stat(1, "R", 0, 0, 0, 0, 1, 0, 0)


class Slow(Tree):
    """Descendants that go one at a look, down to `stays`, as those of a fork for each connection do."""

    def __init__(self, left: int, stays: int) -> None:
        self.left, self.stays = left, stays

    def look(self) -> dict[int, Stat]:
        self.left = max(self.stays, self.left - 1)
        return {2**22 + 1 + i: NOBODY for i in range(self.left)}  # above what a pid can be


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> child.Child:
    monkeypatch.setattr(child, "TERM_S", 0.02)
    monkeypatch.setattr(child, "ROOT_FIRST_S", 0.01)
    monkeypatch.setattr(child, "KILL_S", 0.1)
    return child.Child(["/bin/true"], {0}, tmp_path / "log")


def test_as_long_as_they_become_fewer_they_are_waited_for(ended: child.Child) -> None:
    assert ended.end(Slow(100, 0)) == set()  # 100 looks of 5 ms and more are four times what is waited for one


def test_those_that_stay_are_given_up_and_named(ended: child.Child) -> None:
    assert len(ended.end(Slow(30, 2))) == 2
