"""A results directory may come from anybody: what is no regular file is named in a sentence and never waited for, and
nothing is read without end."""

import base64
import hashlib
import json
import os
import random
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.dataset import load
from analysis.foreign import content, opened, within
from analysis.histograms import sparse
from analysis.ingest import events as events_of
from analysis.ingest import generators, kept
from analysis.ingest.run import ingest
from contracts.histogram import BadHistogram
from tests.unit.analysis.build import RUN, encode, event, trial, whole, write


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link(path: Path) -> None:
    target = path.parent / "elsewhere"
    target.write_text("{}\n")
    path.symlink_to(target)


def sparse_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def folder(path: Path) -> None:
    path.mkdir()


KINDS: list[Callable[[Path], None]] = [fifo, device, link, sparse_file, folder]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    one = trial(1)
    return write(tmp_path / "run", [one], whole(one))


@pytest.mark.parametrize("kind", KINDS)
def test_events_that_are_no_file_are_one_sentence(
    kind: Callable[[Path], None], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "events.jsonl").unlink()
    kind(run / "events.jsonl")
    for command in (
        ["summary"],
        ["check"],
        ["report"],
        ["export"],
        ["plot", "--figure", "cost"],
        ["compare", str(run)],
    ):
        assert main([command[0], str(run), *command[1:]]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "events.jsonl cannot be read: " in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_that_is_no_file_is_told(kind: Callable[[Path], None], run: Path) -> None:
    kind(run / "manifest.json")
    (note,) = load([str(run)]).notes
    assert "manifest.json cannot be read: " in note


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_that_is_no_file_is_one_sentence(
    kind: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind(tmp_path / "plan.yml")
    assert main(["design", str(tmp_path / "plan.yml")]) == 2
    assert "plan.yml cannot be read: " in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_a_baseline_that_is_no_file_is_one_sentence(
    kind: Callable[[Path], None], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind(tmp_path / "base.json")
    assert main(["compare", str(tmp_path / "base.json"), str(run)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_listed_file_that_is_none_is_told(kind: Callable[[Path], None], run: Path) -> None:
    kind(run / "x.jsonl")
    (run / "manifest.json").write_text(json.dumps({"schema": 1, "run": RUN, "files": {"x.jsonl": {}}}))
    (row,) = ingest(str(run)).files.to_dict("records")
    assert row["state"] == "missing" and row["detail"]


def test_the_manifest_leads_nowhere_out_of_the_run(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret").write_text("s")
    (run / "trials").symlink_to(tmp_path / "out")
    entry = {"bytes": 1, "sha256": hashlib.sha256(b"s").hexdigest()}
    names = [
        "trials/secret",
        "../out/secret",
        str(tmp_path / "out/secret"),
        "",
        ".",
        "./events.jsonl",
        "trials//secret",
    ]
    (run / "manifest.json").write_text(json.dumps({"schema": 1, "run": RUN, "files": dict.fromkeys(names, entry)}))
    found = ingest(str(run)).files
    assert found["path"].tolist() == names and set(found["state"]) == {"missing"}
    with pytest.raises(OSError, match="trials is a link"):
        within(run, "trials/secret")


def test_the_runs_directory_itself_may_be_a_link(run: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(run)
    assert load([str(tmp_path / "latest")]).trials["outcome"].tolist() == ["ok"]


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(100))
    assert content(path, 100) == bytes(100)
    with pytest.raises(OSError, match="it has 100 bytes, more than the 99 that are read"):
        opened(path, 99)


def test_a_histogram_unpacks_to_what_one_can_hold() -> None:
    packed = zlib.compress(bytes(200 << 20), 9)
    head = bytes.fromhex("1c849314") + len(packed).to_bytes(4, "big")
    text = base64.b64encode(head + packed).decode()
    assert len(text) < 300_000
    with pytest.raises(BadHistogram, match="it unpacks to more than such a histogram can hold"):
        sparse(text)


def test_the_largest_histogram_of_ours_is_read() -> None:
    draw = random.Random(1)
    spread = {int(10 ** draw.uniform(2, 10.7)): draw.randrange(1 << 30) for _ in range(20_000)}
    text = encode(spread)
    assert len(text) > 4096 and sparse(text).total == sum(spread.values())


def test_a_count_that_nobody_can_have_measured_is_refused() -> None:
    with pytest.raises(BadHistogram, match="a count is negative, or none that could be measured"):
        sparse(encode({1000: 1 << 41}))


def test_a_line_longer_than_the_protocols_is_left_out(run: Path) -> None:
    lines = (run / "events.jsonl").read_bytes().splitlines(keepends=True)
    long = json.dumps(event("error", "client1", 1, message="x" * events_of.MOST_LINE_BYTES)).encode() + b"\n"
    (run / "events.jsonl").write_bytes(b"".join([*lines[:3], long, *lines[3:-1]]))
    dataset = load([str(run)])
    assert any("1 line(s) that are not of the protocol, left out: line 4." in note for note in dataset.notes)
    assert dataset.trials["outcome"].tolist() == ["ok"] and dataset.errors.empty


def test_the_plans_line_may_be_longer(tmp_path: Path) -> None:
    many = [trial(n, cell=f"c{n}") for n in range(1, 3000)]
    run = write(tmp_path / "run", many, [])
    assert (run / "events.jsonl").stat().st_size > events_of.MOST_LINE_BYTES
    assert len(ingest(str(run)).trials) == len(many)


def test_kinds_of_errors_have_a_bound(tmp_path: Path) -> None:
    one = trial(1)
    lines = whole(one)
    for line in lines:
        if line["event"] == "done":
            line["errors"] = [{"phase": "load", "cause": f"c{i}", "count": i} for i in range(9000)]
    dataset = load([str(write(tmp_path / "run", [one], lines))])
    assert len(dataset.errors) == 2 * generators.MOST_KINDS
    assert dataset.errors["count"].max() == 8999
    assert any("client1 tells of 9,000 kinds of errors; the 200 most frequent are kept." in x for x in dataset.notes)


def test_nothing_is_kept_where_a_group_or_all_can_write(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "LARGE_BYTES", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "cache" / "c10k"
    for mode, parent, entries in ((0o777, 0o700, 0), (0o770, 0o700, 0), (0o700, 0o777, 0), (0o700, 0o755, 1)):
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(mode)
        place.parent.chmod(parent)
        ingest(str(run))
        assert len(list(place.iterdir())) == entries


ODD: tuple[Any, ...] = (2**63 - 1, 1 << 60, -1, 1e308, float("nan"), "", None, [])
FIGURES = ["outcome", "answered_requests", "requests_per_s", "cpu_us_per_request", "response_p50_ns"]


def two() -> list[dict[str, Any]]:
    return [trial(1), trial(2, "poll", cell="c2")]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The figures of the second trial, where nothing is odd."""
    lines = [line for one in two() for line in whole(one)]
    return rows_of(load([str(write(tmp_path_factory.mktemp("two") / "run", two(), lines))]).trials, 2)


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("kind", ["interval", "sample", "done", "trial", "proof", "went"])
def test_odd_values_in_a_trial_leave_the_others_as_they_are(
    kind: str, value: object, untouched: list[Any], tmp_path: Path
) -> None:
    """In every number of all the trial's events of a kind at once: two of them must not add up to what does not fit."""
    trials = two()
    lines = [odd(line, value) if line["event"] == kind else line for line in whole(trials[0])]
    after = load([str(write(tmp_path / "run", trials, [*lines, *whole(trials[1])]))])
    assert rows_of(after.trials, 2) == untouched
    assert "Traceback" not in str(after.notes)


def rows_of(trials: pd.DataFrame, n: int) -> list[Any]:
    found: list[Any] = trials.loc[trials["trial"] == n, FIGURES].to_numpy().tolist()
    return found


def odd(document: Any, value: object, *, at: str = "") -> Any:
    """The document with this in the place of each number, but for those that say which trial it is of."""
    if isinstance(document, dict):
        return {name: odd(one, value, at=name) for name, one in document.items()}
    is_number = isinstance(document, int | float) and not isinstance(document, bool)
    return value if is_number and at not in ("trial", "n", "at", "k", "block") else document


def test_two_intervals_of_a_second_do_not_add_up_to_what_does_not_fit(tmp_path: Path) -> None:
    one = trial(1)
    lines = [line | {"planned": 2**63 - 1} if line["event"] == "interval" and line["k"] == 1 else line
             for line in whole(one)]  # fmt: skip
    dataset = load([str(write(tmp_path / "run", [one], lines))])
    assert any("2 interval event(s) lack fields, or hold what cannot be counted" in note for note in dataset.notes)


def test_a_byte_order_mark_of_a_manifest_changes_nothing(run: Path) -> None:
    (run / "manifest.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"schema": 1, "status": "ok"}).encode())
    assert load([str(run)]).runs["status"].tolist() == ["ok"]


@pytest.mark.parametrize("given", ["NaN", "1e400", str(2**63 - 1), "-1", "null", "[]", '""'])
def test_a_baseline_may_hold_anything(
    given: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "base.json"
    assert main(["compare", "--save", str(saved), str(run)]) == 0
    capsys.readouterr()
    text = saved.read_text()
    for found in (r"(?<=: )\d[\d.]*(?=[,}\]])", r"(?<=\[)\d[\d.]*(?=[,\]])", r"(?<=: )null"):
        for place in list(re.finditer(found, text))[:2]:
            saved.write_text(text[: place.start()] + given + text[place.end() :])
            assert main(["compare", str(saved), str(saved)]) in (0, 2)
            assert "Traceback" not in capsys.readouterr().err
    saved.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert main(["compare", str(saved), str(saved)]) == 0
