"""events.jsonl of a run that goes on, and what its plan has left."""

import json
from pathlib import Path

import pytest

from conductor.errors import RunRefused
from conductor.events import EventLog
from conductor.plan import parse_plan
from conductor.resume import is_spoiled, rest_of
from tests.unit.planner.asking import plan

RUN = "20261122T190312Z-3f9a1c"


def begun(place: Path, *, is_whole: bool) -> Path:
    path = place / "events.jsonl"
    log = EventLog(path, RUN)
    log.say(None, "plan", plan={})
    log.say(1, "trial", state="started")
    if is_whole:
        log.close()
    else:
        with path.open("a") as file:
            file.write('{"event":"interval","ho')
    return path


@pytest.mark.parametrize(("is_whole", "lines"), [(True, 3), (False, 4)])
def test_a_log_is_written_on_below_what_there_is(tmp_path: Path, is_whole: bool, lines: int) -> None:
    path = begun(tmp_path, is_whole=is_whole)
    before = path.read_bytes()
    log = EventLog(path, RUN, resumes=True)
    log.say(None, "run", state="ended")
    log.close()
    assert path.read_bytes().startswith(before)
    *_, event, trailer = path.read_text().splitlines()
    assert json.loads(event)["event"] == "run" and json.loads(trailer)["lines"] == lines


def test_the_rest_of_a_plan_and_what_is_void(tmp_path: Path) -> None:
    whole = parse_plan(plan(strategy="epoll,poll", repetitions=1))
    for place in ("trials", "hosts/client1"):
        for n in (1, 2):
            (tmp_path / place / f"{n:03d}").mkdir(parents=True)
    log = EventLog(begun(tmp_path, is_whole=False), RUN, resumes=True)
    rest = rest_of(whole, {2}, tmp_path, log)
    assert [trial.n for trial in rest.trials] == [2]
    assert {path.name for path in tmp_path.glob("*/**/0*")} == {"001"}
    event = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert (event["event"], event["again"]) == ("resumed", [2])
    with pytest.raises(RunRefused):
        rest_of(whole, {99}, tmp_path, log)


def test_a_damaged_one_counts_as_spoiled(tmp_path: Path) -> None:
    place = tmp_path / "trials/009"
    place.mkdir(parents=True)
    for text in ("{", "[]", "{}", "[" * 100_000):
        (place / "trial.json").write_text(text)
        assert is_spoiled(tmp_path)


@pytest.mark.parametrize(
    ("kind", "outcome", "spoiled"),
    [("measure", "ok", False), ("measure", "crashed", True), ("calibration", "invalid", False)],
)
def test_an_earlier_part_counts_for_the_exit(tmp_path: Path, kind: str, outcome: str, spoiled: bool) -> None:
    place = tmp_path / "trials/001"
    place.mkdir(parents=True)
    (place / "trial.json").write_text(json.dumps({"kind": kind, "outcome": outcome}))
    assert is_spoiled(tmp_path) is spoiled
