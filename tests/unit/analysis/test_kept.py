"""What is kept of a large run: the same tables, of the same content only, where nobody else can write."""

import os
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from analysis import store
from analysis.ingest import kept
from analysis.ingest.run import ingest
from analysis.model import Dataset
from tests.unit.analysis.build import write
from tests.unit.analysis.test_ingest import events_of_a_trial


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache; every run is a large one."""
    monkeypatch.setattr(kept, "LARGE_BYTES", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "c10k"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    one, events = events_of_a_trial()
    return write(tmp_path / "run", [one], events)


def same(one: Dataset, other: Dataset) -> bool:
    for name, table in one.tables.items():
        assert_frame_equal(table, other.tables[name], check_categorical=False)
    return one.notes == other.notes


def test_what_is_kept_is_what_was_read(run: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ingest(str(run))
    (own,) = place.iterdir()
    monkeypatch.setattr("analysis.ingest.run.read", None)  # from here on nothing is read
    assert same(ingest(str(run)), first)
    assert len(first.trials) and len(first.histograms) and first.notes
    assert own.stat().st_uid == os.geteuid() and place.stat().st_mode & 0o777 == 0o700


def test_other_content_is_read_anew(run: Path, place: Path) -> None:
    ingest(str(run))
    (run / "events.jsonl").write_bytes((run / "events.jsonl").read_bytes().replace(b'"reset"', b'"refus"'))
    assert "refus" in ingest(str(run)).errors["cause"].tolist()
    (run / "manifest.json").write_text('{"schema": 1, "status": "failed"}')
    assert ingest(str(run)).runs["status"].tolist() == ["failed"]
    assert len(list(place.iterdir())) == 3


@pytest.mark.parametrize("pattern", kept.CODE)
def test_other_code_reads_anew(run: Path, place: Path, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(str(run))
    assert list(kept.OURS.glob(pattern))
    monkeypatch.setattr(kept, "CODE", [one for one in kept.CODE if one != pattern])
    kept._code.cache_clear()
    ingest(str(run))
    kept._code.cache_clear()
    assert len(list(place.iterdir())) == 2


def test_what_is_damaged_is_made_again(run: Path, place: Path) -> None:
    first = ingest(str(run))
    (own,) = place.iterdir()
    for name, content in (("trials", None), ("histograms", b"PAR1"), ("runs", b"")):
        file = own / store.FOLDER / f"{name}.parquet"
        file.unlink() if content is None else file.write_bytes(content)
        assert same(ingest(str(run)), first)
        assert same(store.read(own), first)


def test_the_oldest_go(run: Path, place: Path) -> None:
    for n in range(kept.MOST_RUNS + 2):
        (run / "manifest.json").write_text(f'{{"schema": 1, "status": "{n}"}}')
        ingest(str(run))
    assert len(list(place.iterdir())) == kept.MOST_RUNS


def test_nothing_is_kept_where_somebody_else_could_write(
    run: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ingest(str(run))
    (own,) = place.iterdir()
    (own / store.FOLDER / "trials.parquet").unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place.rename(tmp_path / "before")
    place.symlink_to(elsewhere)
    assert same(ingest(str(run)), first) and not list(elsewhere.iterdir())
    place.unlink()
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    assert same(ingest(str(run)), first) and not list(place.iterdir())


def test_a_small_run_is_only_read(run: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGE_BYTES", 16 << 20)
    ingest(str(run))
    assert not place.exists() or not list(place.iterdir())
