"""Where root makes a directory for the SSH user, and where it does not."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plugins.module_utils import c10k_ground

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what belongs to root")
USER = 65534


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that root alone can write, below others that may be open, as /tmp is."""
    open_real, root = os.open, os.open(tmp_path, os.O_PATH)
    monkeypatch.setattr(
        os, "open", lambda path, *rest, **named: os.dup(root) if path == "/" else open_real(path, *rest, **named)
    )
    return Path("/")


def test_what_is_missing_is_made_for_the_user_and_taken_away_again(ground: Path, tmp_path: Path) -> None:
    home = ground / "srv/c10k/client1"
    assert c10k_ground.obstacle(home) is None
    before = os.umask(0o077)
    try:
        assert c10k_ground.make(home, USER, USER)
    finally:
        os.umask(before)
    found = {path: (path.stat().st_uid, path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
    assert found == {
        tmp_path / "srv": (0, 0o755), tmp_path / "srv/c10k": (0, 0o755), tmp_path / "srv/c10k/client1": (USER, 0o755)
    }  # fmt: skip
    assert c10k_ground.remove_empty(home)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["srv"]
    assert not c10k_ground.remove_empty(home)


def test_two_hosts_on_one_kernel_are_prepared_and_put_back_at_once(ground: Path, tmp_path: Path) -> None:
    """The one's base appears, or goes, while the other's is made."""

    def come_and_go(name: str) -> list[bool]:
        home = ground / "c10k" / name
        return [c10k_ground.make(home, USER, USER) and c10k_ground.remove_empty(home) for _ in range(300)]

    with ThreadPoolExecutor() as both:
        assert list(both.map(come_and_go, ("client1", "server"))) == [[True] * 300] * 2
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays_as_it_is(ground: Path, tmp_path: Path) -> None:
    (tmp_path / "c10k/client1").mkdir(parents=True)
    assert c10k_ground.obstacle(ground / "c10k/client1") == "/c10k/client1 is there, and belongs to another"
    assert not c10k_ground.make(ground / "c10k/client1", USER, USER)
    assert (tmp_path / "c10k/client1").stat().st_uid == 0


def links(place: Path) -> None:
    (place / "etc").mkdir()
    (place / "c10k").symlink_to("etc")


def the_users(place: Path) -> None:
    (place / "c10k").mkdir()
    os.chown(place / "c10k", USER, USER)


def open_to_all(place: Path) -> None:
    (place / "c10k").mkdir()
    (place / "c10k").chmod(0o1777)


@pytest.mark.parametrize(
    ("planted", "why"),
    [(links, "/c10k is a link"), (the_users, "/c10k can be changed"), (open_to_all, "/c10k can be changed")],
)
def test_root_makes_nothing_where_another_could_lead_it(
    ground: Path, tmp_path: Path, planted: object, why: str
) -> None:
    assert callable(planted)
    planted(tmp_path)
    home = ground / "c10k/client1"
    assert str(c10k_ground.obstacle(home)).startswith(why)
    with pytest.raises(c10k_ground.NotRoots, match=why):
        c10k_ground.make(home, USER, USER)
    assert not c10k_ground.remove_empty(home / "below")
    assert not list((tmp_path / "c10k").iterdir())


def test_a_relative_base_is_told() -> None:
    assert c10k_ground.obstacle(Path("c10k/client1")) == "c10k/client1 does not begin with /"
