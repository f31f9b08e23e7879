"""A host's archive of logs: plain files below its place, and nothing else."""

import io
import tarfile
from pathlib import Path

import pytest

from planner import results


def archive(path: Path, *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            info.linkname = "/etc/hostname" if kind == tarfile.SYMTYPE else ""
            packed.addfile(info, io.BytesIO(content))
    return path


def test_a_trials_files_take_the_place_of_what_was_there_of_it(tmp_path: Path) -> None:
    place = tmp_path / "hosts/client1"
    for trial in ("001", "007"):
        (place / trial).mkdir(parents=True)
        (place / trial / "old").write_text("x")
    packed = archive(tmp_path / "a.tgz", ("001/agent.jsonl", b"one"), ("001/latency.hlog", b"two"))
    assert results.unpack(packed, place) == 2
    assert (place / "001/agent.jsonl").read_text() == "one"
    assert not (place / "001/old").exists()
    assert (place / "007/old").exists(), "an earlier part of the run, collected before, is gone"


def test_an_empty_archive_is_an_empty_place(tmp_path: Path) -> None:
    assert results.unpack(archive(tmp_path / "a.tgz"), tmp_path / "hosts/client1") == 0
    assert (tmp_path / "hosts/client1").is_dir()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil", tarfile.REGTYPE),
        ("/tmp/evil", tarfile.REGTYPE),
        ("001/a", tarfile.SYMTYPE),
        ("001/a", tarfile.CHRTYPE),
    ],
)
def test_anything_else_is_refused_and_nothing_is_lost(tmp_path: Path, name: str, kind: bytes) -> None:
    place = tmp_path / "hosts/client1"
    place.mkdir(parents=True)
    (place / "old").write_text("x")
    packed = archive(tmp_path / "a.tgz", (name, b""), kind=kind)
    with pytest.raises(ValueError, match="no log file"):
        results.unpack(packed, place)
    assert (place / "old").read_text() == "x"
    assert not (tmp_path / "hosts/evil").exists()
