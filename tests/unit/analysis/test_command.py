"""`python -m analysis summary`, as a person runs it."""

import csv
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main
from analysis.answers import glance
from analysis.dataset import load
from analysis.ingest.events import read
from analysis.terminal import grid
from tests.unit.analysis.build import MS, event, header, plan, sample, started, trial, went, whole, write

ROOT = Path(__file__).parents[3]
Capture = pytest.CaptureFixture[str]


def summary(capsys: Capture, *arguments: str | Path, status: int = 0) -> str:
    assert main(["summary", *map(str, arguments)]) == status
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    # A path is not broken.
    assert all(len(line) <= 80 for line in said.out.splitlines() if tempfile.gettempdir() not in line)
    return said.out if status == 0 else said.err


def unwrapped(text: str) -> str:
    """The lines as one, each word a space from the next but for the columns of the table."""
    return text.replace("\n  ", " ").replace("\n", " ")


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """Two strategies, a limit, and an A/A control, in three blocks."""
    trials: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    costs = [(1.0, 1.05, 2.3), (1.1, 1.0, 2.2), (0.95, 1.0, 2.6)]
    for block, shares in enumerate(costs, start=1):
        for place, (name, control) in enumerate([("epoll", False), ("epoll", True), ("poll", False)]):
            trials.append(trial(4 * block + place, name, block=block, cell=f"c{[1, 1, 2][place]}", control=control))
            events += whole(trials[-1], {MS: 2400, 9 * MS: 60 + block}, cpu=shares[place])
        trials.append(trial(4 * block + 3, "select", block=block, cell="c3"))
        events += [started(trials[-1]), event("limit", "server", trials[-1]["n"], resource="FD_SETSIZE", held=1015)]
        events += whole(trials[-1], outcome="dnf", held=1015, window=None, reason="FD_SETSIZE")[-1:]
    return write(tmp_path / "run", trials, events)


def test_the_table(full: Path, capsys: Capture) -> None:
    text = summary(capsys, full)
    rows = {line.split()[0]: line for line in reversed(text.splitlines()) if line}
    assert rows["run"].endswith("20261122T190312Z-3f9a1c")
    assert rows["epoll"].split() == ["epoll", "baseline", "met", "1,000", "~9.00", "ms", "3", "ok"]
    assert "of 1,000" in text
    assert rows["poll"].startswith("poll      0.43 [0.32, 0.59]!  met         1,000 ")
    assert rows["select"].split() == ["select", "not", "comparable", "–", "1,015", "–", "3", "dnf", "at"]
    # Requests for each second of CPU, the control over its twin: 1/1.05, 1.1, 0.95/1.
    assert (
        "- A/A control: epoll against itself 0.998 [0.811, 1.23] in requests per server-CPU-second: "
        "an interval within 10 % of 1 tells no difference"
    ) in unwrapped(text)
    under = text.splitlines()[text.splitlines().index(rows["poll"]) + 1]
    assert under.split() == ["worse", "8.99–9.01"]
    body = text[: text.index("A/A control")].splitlines()
    assert [line.split()[0] for line in body if line[:6].strip() in ("epoll", "poll", "select")] == [
        "epoll", "poll", "select",
    ]  # fmt: skip


def test_it_ends_with_the_answer_the_objective_the_doubt_and_the_report(full: Path, capsys: Capture) -> None:
    (full / "report.html").touch()
    told = summary(capsys, full)
    text = unwrapped(told[told.rindex("\n\n") :]).strip()
    assert text.startswith(
        "Nothing is ranked: at 1,000 connections and 1,000 requests/s, requests per server-CPU-second: "
    )
    assert "Not compared: poll (DS4 forbids it). epoll, poll held all 1,000 connections. select stopped at" in text
    assert "p99 ≤ 10 ms: met by 2 of 2 rows." in text
    assert "findings: 1 warning, 3 remarks; the worst: Do not use the comparisons: All 3 blocks ran" in text
    assert text.endswith(f"report: {full / 'report.html'}")
    odd = full.rename(full.parent / "it's a run")
    assert f"report: {shlex.quote(str(odd / 'report.html'))}" in summary(capsys, odd)


def test_the_file_itself_and_several_runs(full: Path, capsys: Capture) -> None:
    assert summary(capsys, full / "events.jsonl", full).count("run 20261122T190312Z-3f9a1c") == 2


def test_csv_has_a_row_per_trial_with_units(full: Path, tmp_path: Path, capsys: Capture) -> None:
    summary(capsys, full, "--csv", tmp_path / "trials.csv")
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    first = rows[0]
    assert (first["trial"], first["held_connections"], first["control"]) == ("4", "1000", "False")
    assert (first["warmup"], first["planned_requests"], first["errors_requests"]) == ("1", "9844", "0")
    assert float(first["cpu_us_per_request"]) == pytest.approx(40_000 / 9844)
    assert rows[3]["requests_per_s"] == rows[3]["answered_requests"] == ""
    assert "response_p99_9_ns" in first
    assert "cannot be written" in summary(capsys, full, "--csv", tmp_path / "no/where.csv", status=2)


CUT = "events.jsonl is cut in mid-line: its last {:,} bytes are left out."


def test_a_run_cut_at_every_byte_of_its_last_lines(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(1), trial(2, "poll", cell="c2")]
    run = write(tmp_path / "run", trials, [*whole(trials[0]), *whole(trials[1])[:-1]], end=None)
    path = run / "events.jsonl"
    data = path.read_bytes()
    last_two = data[: data[:-1].rfind(b"\n")].rfind(b"\n") + 1
    for end in range(last_two, len(data) + 1):
        path.write_bytes(data[:end])
        # Cut after a line, or only of its line feed, nothing is lost.
        begun = data[:end].rfind(b"\n") + 1
        is_whole = end == begun or data[end : end + 1] == b"\n"
        log = read(str(run))
        assert log.notes == ([] if is_whole else [CUT.format(end - begun)])
        assert len(log.events) == data[:end].count(b"\n") - 1 + (is_whole and end != begun)
        if end % 41 == 0:
            text = summary(capsys, run)
            assert "the run ended in mid-trial 2 of 2 (poll)" in text
            assert "unfinished" in text
            assert ("cut in mid-line" in text) != is_whole


def test_a_run_cut_anywhere_never_ends_in_a_traceback(tmp_path: Path, capsys: Capture) -> None:
    planned = trial(1)
    run = write(tmp_path / "run", [planned], whole(planned))
    path = run / "events.jsonl"
    data = path.read_bytes()
    for end in [*range(0, 400, 13), *range(400, len(data), 997)]:
        path.write_bytes(data[:end])
        status = main(["summary", str(run)])
        said = capsys.readouterr()
        assert status in (0, 2)
        assert (said.err.count("\n") == 1) if status else ("epoll" in said.out)


def test_how_a_run_ended(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(1), trial(2, block=2), trial(3, block=3)]
    none = summary(capsys, write(tmp_path / "none", trials, [], end=None))
    assert "the run ended before trial 1 of 3: its controller went away" in none
    some = summary(capsys, write(tmp_path / "some", trials, whole(trials[0]), end=None))
    assert "the run ended after 1 of 3 trials: its controller went away" in some
    assert "1 ok," in some and "2 not run" in some
    interrupted = whole(trials[0], outcome="interrupted", window=None, reason="Ctrl-C")
    said = summary(capsys, write(tmp_path / "ctrl-c", trials[:1], interrupted, end=130))
    assert "the run ended with exit 130: interrupted." in said
    assert "trial 1, epoll, interrupted: Ctrl-C" in said
    assert "the run ended" not in summary(capsys, write(tmp_path / "ok", trials[:1], whole(trials[0])))


def test_a_refused_run_says_why(tmp_path: Path, capsys: Capture) -> None:
    error = event(
        "error", "client1", 1, phase="budget", cause="ports", message="Too few ports.", remedy="Widen the range."
    )
    planned = trial(1)
    text = summary(capsys, write(tmp_path, [planned], [started(planned), error], end=2))
    assert "exit 2: refused before load" in text
    assert "client1, budget: Too few ports. Widen the range." in text


def test_findings_and_errors_are_told_once(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(n, block=n, workload="closed") for n in (1, 2)]
    # Findings of an older conductor are nobody's: a run is judged anew.
    stored = {"id": "CL1", "severity": "warn", "message": "The clock is vague.", "evidence": {}, "remedy": "A cable."}
    events = [e for t in trials for e in whole(t, validity="suspect", findings=[stored])]
    lost = next(e for e in events if e["event"] == "interval" and e["trial"] == 1 and e["k"] == 1)
    lost |= {"planned": lost["planned"] + 4, "timed_out": 3, "failed": 1}
    text = unwrapped(summary(capsys, write(tmp_path, trials, events)))
    finding = (
        "- warn DS7: A closed loop asks less the slower the server is (trial 1 and 1 more). (epoll · trials 1, 2) "
        "Claim throughput only, or use an open loop (`-e workload=open`) for latency."
    )
    body, _, ending = text.rpartition("  epoll held ")
    assert body.count(finding) == body.count("DS7") == 1
    assert "its median response and p99 response must not be used (DS7)" in ending
    assert "info " not in text and "more findings: python -m analysis check" in text
    assert "The clock is vague" not in text
    assert text.count("- epoll: 3 timed out, 1 failed of 2,004 planned") == text.count("timed out") == 1
    assert " 0.20 % " in text


def test_why_a_row_is_struck_is_told_once(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(1), trial(2, "poll", cell="c2")]
    events = [*whole(trials[0]), *whole(trials[1], outcome="crashed", window=None, reason="Out of memory")]
    text = unwrapped(summary(capsys, write(tmp_path, trials, events, end=3)))
    assert "struck" in text and "the run ended with exit 3: trials failed." in text
    # Once among the findings, and once in the answer, after which it is not told as the worst of them.
    assert text.count("poll crashed: Out of memory.") == text.count("Out of memory") == 2


def test_what_was_not_held_is_not_said_to_be(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(1), trial(2, "poll", cell="c2")]
    crashed = [
        one
        for one in whole(trials[1], outcome="crashed", window=None, reason="Out of memory", held=None)
        if one["event"] != "proof"
    ]
    events = [*whole(trials[0]), *crashed]
    both = summary(capsys, write(tmp_path / "both", trials, events, end=3))
    assert [line for line in both.splitlines() if line.startswith("poll ") and "1,000" in line] == []
    alone = summary(capsys, write(tmp_path / "one", trials[1:], crashed, end=3))
    assert "in flight" not in alone and "only large differences" not in alone


def test_a_row_of_fewer_repetitions_says_so(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(n, block=n) for n in (1, 2)]
    events = [*whole(trials[0]), *whole(trials[1], outcome="interrupted", window=None, reason="Ctrl-C")]
    text = unwrapped(summary(capsys, write(tmp_path, trials, events, end=130)))
    assert "- epoll: 1 of 2 repetitions count" in text
    assert "- trial 2, epoll, interrupted: Ctrl-C" in text


def test_without_a_second_block_the_control_says_why_it_says_nothing(tmp_path: Path, capsys: Capture) -> None:
    trials = [trial(1), trial(2, control=True), trial(3, "poll", cell="c2")]
    text = summary(capsys, write(tmp_path / "one", trials, [e for t in trials for e in whole(t)]))
    assert "- A/A control: epoll against itself: one block says nothing of how much blocks differ" in unwrapped(text)
    more = [*trials, trial(4, block=2), trial(5, block=2, control=True), trial(6, "poll", block=2, cell="c2")]
    events = [e for t in more for e in whole(t, cpu=1.1 if t["control"] else 1.0)]
    text = unwrapped(summary(capsys, write(tmp_path / "two", more, events)))
    assert "in requests per server-CPU-second: fewer than 3 blocks give no noise floor" in text
    without = [e for e in events if e.get("n", e.get("trial")) not in (2, 5)]
    text = unwrapped(summary(capsys, write(tmp_path / "none", more, without)))
    assert "A/A control: epoll against itself: the control has no figure to compare" in text
    alone = [e for e in events if e.get("n", e.get("trial")) not in (1, 4)]
    text = unwrapped(summary(capsys, write(tmp_path / "alone", more, alone)))
    assert "A/A control: epoll against itself: its baseline: no trial is good: not run" in text
    none = [t for t in more if not t["control"]]
    assert "A/A" not in summary(capsys, write(tmp_path / "without", none, without))


def test_nothing_from_a_file_is_executed_by_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    evil = "\x1b]0;owned\x07<script>\u202e"
    planned = trial(1, f"epoll{evil}")
    events = [*whole(planned, outcome="crashed", reason=evil), event("error", evil, 9, phase=evil, message=evil)]
    text = summary(capsys, write(tmp_path, [planned], events, end=3))
    assert not any((ord(c) < 32 and c != "\n") or c in "\x9b\u202e" for c in text)
    assert "\\u001b]0;owned\\u0007<script>\\u202e" in text


def test_many_factors_still_fit(tmp_path: Path, capsys: Capture) -> None:
    trials = [
        trial(n, cell=f"c{n}", connections=10**6 + n - 1, active=9 + n, rate=1000 * n, payload_bytes=64 * n)
        for n in (1, 2, 3)
    ]
    text = summary(capsys, write(tmp_path, trials, [e for t in trials for e in whole(t, {MS: 3000})]))
    # What gives way is named, in the order in which it does.
    assert (
        "for want of width only in the report: user + system, CPU µs /request, RSS bytes /conn., errors, "
        "response p99.9, response p50"
    ) in unwrapped(text)
    # A long name goes on under itself.
    assert "\nepoll, 1,000,002         met " in text and "\nconnections, 12 active,\n3,000/s, 192 B\n" in text
    assert all(line.endswith(" ok") for line in text.splitlines() if line.startswith("epoll, 1"))
    # Where nothing more can give way, names are narrower: the outcome was cut off.
    narrow, _ = grid(glance.data(load([str(tmp_path)])), 58)
    assert max(map(len, narrow)) <= 58 and "…" not in "".join(narrow)


def test_the_usual_run_fits_with_all_its_columns(tmp_path: Path, capsys: Capture) -> None:
    names = ("epoll_edge", "workers")
    trials = [trial(3 * b + i, name, block=b, cell=f"c{i}") for b in (1, 2, 3) for i, name in enumerate(names)]
    shapes = {n: {1234567 + n * 10**5: 2500 + n, 10**8: 30} for n in range(3, 11)}
    events = [e for t in trials for e in whole(t, shapes[t["n"]], cpu=t["n"] * 30)]
    text = summary(capsys, write(tmp_path / "two", trials, events))
    assert "p99" in text and "ratio" in text and "/CPU s" in text
    assert "ratio: requests per CPU second, ÷ epoll_edge" in text
    assert "for want of width only in the report: user + system, CPU µs /request, RSS bytes" in unwrapped(text)
    assert "3 ok" in text
    alone = [planned for planned in trials if planned["cell"] == "c1"]
    text = summary(capsys, write(tmp_path / "one", alone, [e for t in alone for e in whole(t)]))
    assert "p50" in text and "held" in text and "ratio" not in text
    unseen = [e for t in alone for e in whole(t) if e["event"] != "sample"]
    text = summary(capsys, write(tmp_path / "unseen", alone, unseen))
    assert "– + –" not in text  # one sign where the server's CPU is not known


def test_churn_shows_what_is_in_flight(tmp_path: Path, capsys: Capture) -> None:
    planned = trial(1, workload="churn", connections=200)
    text = summary(capsys, write(tmp_path, [planned], whole(planned, held=None)))
    assert "in flight" in text
    assert "held" not in text
    assert "500" in text


GOOD = json.dumps(header())
NOT_OURS = [
    ("", "is empty"),
    ("hello\n", "is not an events.jsonl"),
    ("[1]\n", "is not an events.jsonl"),
    ("\x00\x01\n\n", "is not an events.jsonl"),
    (json.dumps(header(version=2)) + "\n", "is of version 2; this analysis reads version 1"),
    (json.dumps(header(file="agent")) + "\n", "is not an events.jsonl"),
    (json.dumps(header(run=None)) + "\n", "names no run"),
    (GOOD[:40], "cut within its first line"),
    (GOOD + "\n", "ends before its plan was recorded"),
    (GOOD + "\n" + json.dumps(event("plan", plan={"version": 9})) + "\n", "a plan of another version"),
    (GOOD + "\n" + json.dumps(event("plan", plan={"version": 2})) + "\n", "a plan without hosts"),
    (GOOD + "\n" + json.dumps(event("plan", plan=plan([]))) + "\n", "trials this analysis does not understand"),
]


@pytest.mark.parametrize(("content", "sentence"), NOT_OURS)
def test_what_is_not_ours_gets_one_sentence(content: str, sentence: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "events.jsonl").write_text(content)
    said = summary(capsys, tmp_path, status=2)
    assert sentence in said
    assert said.count("\n") == 1


def test_what_is_not_there_gets_one_sentence_and_the_others_their_table(
    tmp_path: Path, full: Path, capsys: Capture
) -> None:
    said = summary(capsys, tmp_path / "nowhere", status=2)
    assert "has no events.jsonl" in said
    assert said.count("\n") == 1
    (tmp_path / "empty").mkdir()
    assert main(["summary", str(tmp_path / "empty"), str(full)]) == 2
    heard = capsys.readouterr()
    assert "epoll" in heard.out
    assert "has no events.jsonl" in heard.err and heard.err.count("\n") == 1
    (tmp_path / "empty/plan.yml").touch()
    assert "empty measured nothing: the run was broken off" in summary(capsys, tmp_path / "empty", status=2)


def test_a_directory_of_runs_stands_for_all_of_them(tmp_path: Path, full: Path, capsys: Capture) -> None:
    planned = trial(1, "poll")
    write(tmp_path / "another", [planned], whole(planned))
    text = summary(capsys, full.parent)
    assert text.count("run 20261122T190312Z-3f9a1c\n") == 2
    assert "\nepoll " in text and "2 clients · 1 trial\n" in text


def test_foreign_lines_are_counted_and_left_out(tmp_path: Path, capsys: Capture) -> None:
    planned = trial(1)
    run = write(tmp_path, [planned], whole(planned))
    path = run / "events.jsonl"
    lines = path.read_bytes().split(b"\n")
    wrong = [b'{"event":"interval"}', b'{"event":1,"host":"x","at":1}']
    hostile = [b"noise", b"[" * 100_000, b"\xff\xfe", b"1" * 5000, *wrong]
    path.write_bytes(b"\n".join([*lines[:4], *hostile, *lines[4:]]))
    text = unwrapped(summary(capsys, run))
    assert "holds 6 line(s) that are not of the protocol, left out: line 5, 6, 7, 8, 9, …" in text
    assert "where its trailer counts" in text


@pytest.mark.parametrize(("turn", "value"), [*enumerate([None, "x", -1, 1.5, True, [], {}, 2**70, 0])])
def test_any_field_may_be_wrong(turn: int, value: object, tmp_path: Path, capsys: Capture) -> None:
    """A fifth of the fields of each kind of event, one after another, become this nonsense; the rest is summarised."""
    planned = trial(1)
    events = whole(planned)
    kinds: dict[str, int] = {}
    for place, document in enumerate(events):
        kinds.setdefault(document["event"] + str(document.get("state", "")), place)
    for place in kinds.values():
        for name in sorted(set(events[place]) - {"event"})[turn % 5 :: 5]:
            spoilt = [*events[:place], events[place] | {name: value}, *events[place + 1 :]]
            assert "epoll" in summary(capsys, write(tmp_path, [planned], spoilt))
    result = events[-1]["result"]
    for name in [*result][turn % 5 :: 5]:
        spoilt = [*events[:-1], events[-1] | {"result": result | {name: value}}]
        assert "epoll" in summary(capsys, write(tmp_path, [planned], spoilt))


def test_as_a_module_into_a_closed_pipe_and_an_ascii_terminal(full: Path) -> None:
    command = [sys.executable, "-m", "analysis", "summary", str(full)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    plain = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert (plain.returncode, plain.stderr) == (0, b"")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        piped = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (piped.returncode, piped.stderr) == (0, b"")


def test_a_trial_that_never_got_to_its_load(tmp_path: Path, capsys: Capture) -> None:
    planned = trial(1)
    events = [started(planned), sample(1, -2, 0, 0), went(1)]
    text = summary(capsys, write(tmp_path, [planned], events, end=None))
    assert "unfinished" in text
    assert "trials/001/trial.json" in text
