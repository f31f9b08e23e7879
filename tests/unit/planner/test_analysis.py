"""What the playbooks run of analysis: shown where it works, a complaint where not, and never in the way of a run."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from planner import analyse, results
from tests.unit.analysis.build import plan, trial, whole, write


def run_of(tmp_path: Path) -> Path:
    return write(tmp_path / "run", [trial(1)], whole(trial(1)))


def test_the_summary_is_shown_and_written(tmp_path: Path) -> None:
    run, said = run_of(tmp_path), list[str]()
    assert analyse.report(run, said.append) is None
    assert "epoll" in said[0]
    assert (run / "summary.csv").read_text().count("\n") == 2


def test_what_cannot_be_read_is_a_complaint(tmp_path: Path) -> None:
    said: list[str] = []
    complaint = analyse.report(tmp_path / "nothing", said.append)
    assert said == []
    assert f"of nothing could not be made: analysis: {tmp_path / 'nothing'}" in str(complaint)


def test_the_report_says_where_it_is(tmp_path: Path) -> None:
    run, said = run_of(tmp_path), list[str]()
    line = f"report: {shlex.quote(str(run / 'report.html'))}"
    for _ in ("new", "made again"):
        assert analyse.report(run, said.append) is None
        assert said.pop().splitlines().count(line) == 1
        assert (run / "report.html").stat().st_size > 0


def test_a_report_that_cannot_be_written_leaves_the_table(tmp_path: Path) -> None:
    run, said = run_of(tmp_path), list[str]()
    (run / "report.html").mkdir()
    complaint = analyse.report(run, said.append)
    assert "epoll" in said[0]
    assert f"{run / 'report.html'} cannot be written: Is a directory" in str(complaint)


def test_a_long_run_is_announced_and_a_short_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "run" / "plan.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(plan([trial(n, block=n, warmup=1, duration=200) for n in (1, 2)])))
    assert analyse.design(path, 120) == ""
    assert "2 trials in 2 blocks" in analyse.design(path, 121)


def test_a_plan_that_cannot_be_judged_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is not known: analysis: " in analyse.design(tmp_path / "plan.yml", 1000)
    monkeypatch.setattr(analyse, "DESIGN_S", 0.001)
    assert "timed out" in analyse.design(tmp_path / "plan.yml", 1000)
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))
    assert "is not known: " in analyse.design(tmp_path / "plan.yml", 1000)


def test_what_was_made_of_the_logs_is_not_in_the_manifest(tmp_path: Path) -> None:
    for name in ("events.jsonl", "manifest.json", "report.html", "dataset/runs.parquet", "hosts/dataset/a", ".owner"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = results.file_hashes(tmp_path)
    assert sorted(found) == ["events.jsonl", "hosts/dataset/a"]
    assert json.loads(json.dumps(found))["events.jsonl"]["bytes"] == 1
