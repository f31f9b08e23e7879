"""A host's archive of logs: plain files below its place, and nothing else."""

import gzip
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
        ("/evil", tarfile.REGTYPE),
        ("001/a", tarfile.SYMTYPE),
        ("001/a", tarfile.CHRTYPE),
        ("001/a", tarfile.FIFOTYPE),
        ("001/a", tarfile.GNUTYPE_SPARSE),
        ("001/\x1b[2J", tarfile.REGTYPE),
        ("001/\x9b31m", tarfile.REGTYPE),
        ("001/\u202efdp.log", tarfile.REGTYPE),
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


def refused(packed: Path, place: Path, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        results.unpack(packed, place)
    assert not place.exists()
    assert not list(place.parent.glob(".*")), "half of it is left"


def test_a_small_archive_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_UNPACKED", 1 << 20)
    packed = archive(tmp_path / "a.tgz", *((f"001/{n}", bytes(1 << 18)) for n in range(9)))
    assert packed.stat().st_size < 1 << 14
    refused(packed, tmp_path / "hosts/server", "unpacks to more than")


def test_nor_does_it_fill_the_memory_with_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_FILES", 1000)
    packed = archive(tmp_path / "a.tgz", *(("001", b"") for _ in range(1001)), kind=tarfile.DIRTYPE)
    refused(packed, tmp_path / "hosts/server", "holds more than 1000 files")


def test_nor_with_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_NAMES", 1 << 20)
    with tarfile.open(tmp_path / "a.tgz", "w:gz", format=tarfile.PAX_FORMAT) as packed:
        for n in range(11):
            info = tarfile.TarInfo(f"001/{n}")
            info.pax_headers = {"comment": "x" * 100_000}
            packed.addfile(info)
    refused(tmp_path / "a.tgz", tmp_path / "hosts/server", "names without end")


def test_headers_before_headers_are_a_damaged_archive(tmp_path: Path) -> None:
    """tarfile follows them by calling itself."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4
    block = header.tobuf(tarfile.GNU_FORMAT) + b"abc".ljust(512, b"\0")
    with gzip.open(tmp_path / "a.tgz", "wb") as packed:
        packed.write(block * 5000)
    refused(tmp_path / "a.tgz", tmp_path / "hosts/server", "the archive is damaged")


def test_nor_does_it_fill_the_disk_with_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_FILES", 3)
    packed = archive(tmp_path / "a.tgz", *((f"001/{n}", b"") for n in range(4)))
    refused(packed, tmp_path / "hosts/server", "more than 3 files")


def test_a_header_does_not_fill_memory(tmp_path: Path) -> None:
    """tarfile reads an extended header whole; a few kilobytes of archive can say that it has gigabytes."""
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 3 << 30
    with gzip.open(tmp_path / "a.tgz", "wb") as packed:
        packed.write(header.tobuf() + bytes(1 << 20))
    refused(tmp_path / "a.tgz", tmp_path / "hosts/server", "none of ours")


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no archive" * 99, mtime=0), gzip.compress(bytes(99), mtime=0)[:20]],
    ids=["empty", "no archive", "of no archive", "cut"],
)
def test_a_damaged_archive_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tgz").write_bytes(content)
    refused(tmp_path / "a.tgz", tmp_path / "hosts/server", "the archive is damaged")
