"""A run that was broken off: what it misses, and what must be as it was before the rest is measured."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from planner import results, resume
from planner.parameters import Refused
from tests.unit.planner.asking import HERE, SHARED, plan, probed, request

RUN = "20261122T190312Z-3f9a1c"
SEARCHED = {"workload": "capacity", "strategy": "epoll,poll", "repetitions": 1}


def trial(n: int, **fields: Any) -> dict[str, Any]:
    return {"n": n, **fields}


def search(n: int) -> dict[str, Any]:
    return trial(n, search={"most_rungs": 10})


@pytest.mark.parametrize(
    ("trials", "outcomes", "left"),
    [
        ([trial(1), trial(2), trial(3)], {1: "ok"}, [2, 3]),
        ([trial(1), trial(2), trial(3)], {1: "ok", 2: "interrupted"}, [2, 3]),
        ([trial(1), trial(2)], {1: "crashed", 2: "invalid"}, []),
        ([trial(1, beside=2), trial(2, beside=1), trial(3)], {1: "ok", 2: "interrupted"}, [1, 2, 3]),
        ([trial(1, beside=2), trial(2, beside=1), trial(3)], {1: "ok", 2: "ok"}, [3]),
        ([search(1), search(11)], {1: "ok", 2: "ok"}, [1, 11]),
        ([search(1), search(11)], {1: "ok", 2: "ok", 11: "interrupted"}, [11]),
        ([search(1), trial(11)], {1: "ok", 11: "ok"}, []),
        ([search(1), trial(11)], {1: "ok", 2: "interrupted"}, [1, 11]),
    ],
)
def test_what_has_an_outcome_stays(trials: list[dict[str, Any]], outcomes: dict[int, str], left: list[int]) -> None:
    assert list(resume.missing(trials, outcomes)) == left


def facts(**changed: Any) -> dict[str, Any]:
    same = {
        "hostname": "h", "kernel": "Linux 6.18", "arch": "x86_64", "cpus": [0, 1, 2, 3], "nofile_hard": 20_000,
        "python": "3.11.2", "cpu_model": "one", "virtualisation": "none", "governor": None, "clocksource": "tsc",
        "boot_id": HERE, "interpreters": {"3.13": {"python": "3.13.0"}},
    }  # fmt: skip
    return {**same, **changed}


@pytest.fixture
def broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of six trials whose first was measured."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    run, asked = tmp_path / RUN, request(strategy="epoll,poll", repetitions=2)
    results.write_plan(run, plan(strategy="epoll,poll", repetitions=2))
    manifest = {
        "run": RUN, "seed": 7, "started_utc": "2026-11-22T19:03:12Z", "status": "running",
        "parameters": {**asked.parameters, "seed": 7}, "cells": asked.cells, "git": {"commit": "abc", "dirty": False},
        "versions": {"programs": resume.programs()}, "hosts": {host["name"]: facts() for host in SHARED},
        "tuning": {},
    }  # fmt: skip
    results.write_manifest(run, manifest)
    (run / "events.jsonl").write_text("{}\n")
    ended(run, 1, "ok")
    return run


def ended(run: Path, n: int, outcome: str) -> None:
    place = run / "trials" / f"{n:03d}"
    place.mkdir(parents=True)
    (place / "trial.json").write_text(json.dumps({"n": n, "outcome": outcome}))


def change(run: Path, **fields: Any) -> None:
    results.write_manifest(run, {**(results.read_manifest(run) or {}), **fields})


def now(**changed: Any) -> list[dict[str, Any]]:
    return [{**probed(host["name"]), "probe": {"facts": facts(**changed)}} for host in SHARED]


def test_the_rest_is_asked_for_as_the_whole_was(broken_off: Path) -> None:
    asked = resume.resume({"run": RUN})
    assert asked["missing"] == [2, 3, 4, 5, 6] and asked["seed"] == 7
    assert asked["request"]["cells"] == request(strategy="epoll,poll", repetitions=2).cells
    assert resume.others(plan(strategy="epoll,poll", repetitions=2), now()) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"run": RUN, "strategy": "poll", "rate": 3}, "leave strategy, rate away"),
        ({"run": "20261122T190312Z-3f9a1d"}, "There is no run 20261122T190312Z-3f9a1d"),
        ({"run": "../../etc"}, "is not the id of a run"),
        ({"run": "", "strategy": "poll"}, "run= is not the id of a run"),
    ],
)
def test_what_is_no_resumption_is_refused(broken_off: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        resume.resume(given)


def test_a_run_that_goes_on_or_is_complete_is_refused(broken_off: Path) -> None:
    results.claim(broken_off, 1)
    with pytest.raises(Refused, match="still goes on"):
        resume.resume({"run": RUN})
    (broken_off / ".owner").unlink()
    for n in range(2, 7):
        ended(broken_off, n, "dnf")
    with pytest.raises(Refused, match="Nothing is missing"):
        resume.resume({"run": RUN})


@pytest.mark.parametrize("damage", ["manifest.json", "plan.yml", "events.jsonl", "cells"])
def test_a_damaged_record_is_refused(broken_off: Path, damage: str) -> None:
    if damage == "cells":
        change(broken_off, cells=[{"strategy": "epoll"}])
    else:
        (broken_off / damage).unlink()
    with pytest.raises(Refused, match=r"cannot go on.*begin a run of its own"):
        resume.resume({"run": RUN})


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        ("manifest.json", ["seed"], ...),
        ("manifest.json", ["hosts"], []),
        ("manifest.json", ["hosts", "client1"], "x"),
        ("manifest.json", ["hosts", "client1", "boot_id"], ...),
        ("manifest.json", ["versions"], 7),
        ("plan.yml", ["trials"], True),
        ("plan.yml", ["trials", 0], 7),
        ("plan.yml", ["trials", 0, "n"], ...),
        ("plan.yml", ["hosts"], None),
        ("trials/001/trial.json", ["n"], [1]),
        ("trials/001/trial.json", ["outcome"], ...),
    ],
)
def test_a_record_that_somebody_edited_is_refused_in_a_sentence(
    broken_off: Path, file: str, path: list[Any], value: Any
) -> None:
    document = yaml.safe_load((broken_off / file).read_text())
    place = document
    for name in path[:-1]:
        place = place[name]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    (broken_off / file).write_text(json.dumps(document))
    with pytest.raises(Refused, match=r"cannot go on.*begin a run of its own"):
        resume.resume({"run": RUN})
        raise Refused(resume.others(plan(strategy="epoll,poll", repetitions=2), now()))


def test_without_a_single_result_nothing_goes_on(broken_off: Path) -> None:
    (broken_off / "trials/001/trial.json").unlink()
    with pytest.raises(Refused, match=r"Nothing of .* was measured"):
        resume.resume({"run": RUN})


def test_another_host_plan_or_program_is_named(broken_off: Path) -> None:
    moved = [{**host, "load_address": "198.18.0.77"} if host["name"] == "client1" else host for host in SHARED]
    (sentence,) = resume.others(plan(moved, strategy="epoll,poll", repetitions=2), now(kernel="Linux 6.19"))
    assert "hosts.client1.load_address of the plan is 198.18.0.77 now and was 198.18.0.10" in sentence
    assert "kernel of client2 is Linux 6.19 now and was Linux 6.18" in sentence
    change(broken_off, versions={"programs": "sha256:0"})
    (sentence,) = resume.others(plan(strategy="epoll,poll", repetitions=2), now())
    assert "the programs of the checkout are not those of that run (commit abc)" in sentence


def test_an_interpreter_of_another_version_is_named(broken_off: Path) -> None:
    other = {"3.13": {"python": "3.13.1"}}
    (sentence,) = resume.others(plan(strategy="epoll,poll", repetitions=2), now(interpreters=other))
    assert "3.13 of server is Python 3.13.1 now and was 3.13.0" in sentence


def test_how_it_goes_on_is_a_sentence_where_it_can(broken_off: Path) -> None:
    assert resume.way_on(RUN) == f"-e run={RUN} goes on with this run: 5 of its trials are missing."
    for n in range(2, 7):
        ended(broken_off, n, "interrupted" if n == 6 else "ok")
    assert resume.way_on(RUN) == f"-e run={RUN} goes on with this run: one of its trials is missing."
    (broken_off / "trials/006/trial.json").write_text('{"n": 6, "outcome": "ok"}')
    assert resume.way_on(RUN) is None
    (broken_off / "manifest.json").unlink()
    assert resume.way_on(RUN) is None


def test_the_manifest_says_when_it_went_on_and_who_had_started_anew(broken_off: Path) -> None:
    before = results.read_manifest(broken_off) or {}
    hosts = {**before["hosts"], "client2": facts(boot_id="another")}
    after = resume.resumed(before, {"hosts": hosts, "tuning": {"server": {}}}, [2, 3])
    (part,) = after["resumed"].values()
    assert part == {"missing": [2, 3], "rebooted": ["client2"]}
    assert after["hosts"] == before["hosts"] and after["tuning"] == {"server": {}} and after["status"] == "running"
