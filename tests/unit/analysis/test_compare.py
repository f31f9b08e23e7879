"""Two runs against each other: numbers by hand, exits, baseline files, and names that would be markup."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.cells import cell_table
from analysis.compare import judge, side, text
from analysis.compare.judge import Comparison
from analysis.compare.side import Side
from analysis.dataset import derive
from analysis.model import Dataset
from analysis.statistics import family, unpaired
from analysis.unreadable import Unreadable
from tests.unit.analysis.build import MS, RUN, trial, whole, write

Row = dict[str, Any]
AROUND_1 = [math.exp(-0.01), 1.0, math.exp(0.01)]
# Of logarithms -0.01, 0, 0.01 in both groups: standard error 0.01 √(2/3), four degrees of freedom, t = 2.776445.
HALF = 2.776445 * 0.01 * math.sqrt(2 / 3)


def trials(cell: str, strategy: str, efficiency: Sequence[float], **fields: Any) -> list[Row]:
    """One trial per repetition, with this many requests per CPU second, and a p99 of 1 ms."""
    common: Row = {
        "run": "r", "cell": cell, "strategy": strategy, "control": False, "workload": "open", "outcome": "ok",
        "connections": 100, "active": 100, "response_p99_ns": 1e6, "response_p99_tail_requests": 500.0,
    }  # fmt: skip
    return [common | {"block": n, "requests_per_cpu_s": value} | fields for n, value in enumerate(efficiency, 1)]


MADE: dict[str, Side] = {}  # a side is never changed, and many tests begin with the same


def made(*rows: Row, run: str = "r", findings: Sequence[Row] = (), **of_run: Any) -> Side:
    """The side of a run with these trials."""
    asked = repr((rows, run, findings, of_run))
    if asked not in MADE:
        MADE[asked] = _made(rows, run, findings, of_run)
    return MADE[asked]


def _made(rows: Sequence[Row], run: str, findings: Sequence[Row], of_run: Row) -> Side:
    numbered = [{**row, "trial": n, "run": run} for n, row in enumerate(rows, 1)]
    derived = derive(Dataset.of(runs=[{"run": run, **of_run}], trials=numbered))
    told = Dataset.of(findings=[{"run": run, "hosts": "[]", "evidence": "[]"} | one for one in findings])
    found = replace(derived, findings=told.findings)
    return side.of_dataset(replace(found, cells=cell_table(found)))


def times(value: float) -> list[float]:
    return [value * one for one in AROUND_1]


def runs(name: str, *cells: Sequence[Row]) -> Side:
    """A run for each figure of these cells: twice that, of two repetitions without a spread."""
    count = len(cells[0])
    return side.joined([made(*[cell[n] | {"block": block} for cell in cells for block in (1, 2)], run=f"{name}{n}")
                        for n in range(count)])  # fmt: skip


def compared(base: Sequence[float], new: Sequence[float]) -> Comparison:
    """Of one cell's efficiency, of which each side has a run for each of these figures."""
    return judge.judge(
        runs("b", trials("c1", "epoll", base)), runs("n", trials("c1", "epoll", new)), ["efficiency"]
    )  # fmt: skip


def only(found: Comparison, metric: str = "efficiency") -> judge.Row:
    (row,) = [row for row in found.rows if row.metric.name == metric]
    return row


def test_a_true_difference_by_hand() -> None:
    row = only(compared(times(100), times(50)))
    assert row.ratio is not None
    expected = (0.5, 0.5 * math.exp(-HALF), 0.5 * math.exp(HALF))
    assert (row.ratio.single.value, row.ratio.single.low, row.ratio.single.high) == pytest.approx(expected, rel=1e-6)
    # Alone in its family the deciding interval is its own.
    assert (row.ratio.within.low, row.ratio.within.high) == pytest.approx(expected[1:], rel=1e-6)
    assert (row.verdict, row.why) == ("worse", "")
    assert row.ratio.p == row.ratio.p_holm < 1e-4


def test_all_that_is_shown_is_one_family() -> None:
    base = runs("b", trials("c1", "epoll", times(100)), trials("c2", "poll", times(100)))
    # ln(1.025) is 3.02 standard errors: enough at 95 % (2.78), not at 97.5 % (3.50). The other is far beyond any.
    new = runs("n", trials("c1", "epoll", times(102.5)), trials("c2", "poll", times(102.5)))
    for row in judge.judge(base, new, ["efficiency"]).rows:
        assert row.ratio is not None
        assert row.ratio.p_holm == pytest.approx(min(1, 2 * row.ratio.p))
        assert row.ratio.single.low > 1 > row.ratio.within.low
        assert row.ratio.within.confidence == pytest.approx(0.975)


def test_runs_that_are_the_same_are_equivalent() -> None:
    base, new = (runs(name, trials("c1", "epoll", times(100)), trials("c2", "poll", times(70))) for name in "bn")
    found = judge.judge(base, new)
    assert [row.metric.name for row in found.rows] == ["efficiency", "efficiency", "p99", "p99"]
    for row in found.rows:
        assert row.ratio is not None and row.ratio.single.value == pytest.approx(1)
    # Equal figures have no width; those that spread by 1 % are within 3 % only where the family is small.
    assert [row.verdict for row in found.rows if row.metric.name == "p99"] == ["equivalent", "equivalent"]
    assert only(compared(times(9), times(9))).verdict == "equivalent"
    assert judge.status(found, 0.03) == (
        0, "nothing is shown to be worse by more than 3 %; 2 of 4 could not be told at 3 %.")  # fmt: skip
    assert not found.changes and not found.missing and not found.added


def test_one_run_a_side_decides_nothing() -> None:
    """Identical builds whose runs differ by 2 % were called different in 10 to 35 % of cases, and repetitions made it
    worse."""
    base, new = made(*trials("c1", "epoll", times(100)), run="b"), made(*trials("c1", "epoll", times(50)), run="n")
    found = judge.judge(base, new, ["efficiency"])
    assert only(found).verdict == judge.CANNOT and only(found).ratio is not None
    assert judge.status(found, 0.03) == (
        3, "one run a side says nothing of how much runs differ, so nothing is known to be no worse.")  # fmt: skip
    shown = text.terminal(found)
    assert "Cannot be told: one run a side" in shown and "gate" in shown and "--new NEW NEW NEW" in shown
    assert "of such comparisons find: efficiency 3.1 %" in shown
    one_alone = judge.judge(base, runs("n", trials("c1", "epoll", times(50))), ["efficiency"])
    assert only(one_alone).verdict == "not comparable" or not one_alone.is_decided
    several = text.terminal(compared(times(100), times(50)))
    assert "Cannot be told" not in several and "of such comparisons find: efficiency 3.1 %" in several


def test_runs_differ_more_than_their_repetitions() -> None:
    """Each run is exact in itself; three runs of one build differ by 2 %."""
    found = compared([100, 102, 98], [101, 99, 103])
    assert only(found).verdict == "inconclusive"


@pytest.mark.parametrize("seed", [1, 2])
def test_identical_builds_are_rarely_called_different(seed: int) -> None:
    draw = np.random.default_rng(seed)
    made_of = [family.compare([unpaired.shift(*np.exp(draw.normal(0, 0.02, (2, 3))).tolist())]) for _ in range(2000)]
    called = sum(found.within.low > 1 or found.within.high < 1 for (found,) in made_of)
    assert called / 2000 <= 0.05


def test_a_run_that_is_given_twice_says_nothing_of_how_runs_differ() -> None:
    one = made(*trials("c1", "epoll", times(9)), run="b")
    with pytest.raises(Unreadable, match="b is given twice"):
        side.joined([one, one])


def test_what_one_of_the_runs_cannot_tell_the_side_cannot_tell() -> None:
    good = [made(*trials("c1", "epoll", [9, 9]), *trials("c2", "poll", [9, 9]), run=f"b{n}") for n in range(2)]
    cut = made(*trials("c1", "epoll", [9, 9], outcome="crashed"), run="n1")
    found = judge.judge(side.joined(good), side.joined([good[0], cut]), ["efficiency"])
    assert [row.why for row in found.rows] == ["new: n1: no trial is good: crashed", "new: n1 does not have it"]
    assert judge.status(found, 0.03)[0] == 3


def test_a_side_that_is_not_finished_says_so() -> None:
    base = runs("b", trials("c1", "epoll", times(9)))
    left = made(*trials("c1", "epoll", [9, 9]), *trials("c1", "epoll", [9], outcome="not run"), run="n1")
    new = side.joined([left, made(*trials("c1", "epoll", [9, 9.1]), run="n2")])
    found = judge.judge(base, new, ["efficiency"])
    assert "not finished: new: n1: 2 of 3 trials were run to their end" in text.terminal(found)
    assert judge.status(found, 0.03) == (3, "not finished: new, so nothing is known to be no worse.")
    assert "not finished" not in text.terminal(judge.judge(base, base))


def test_no_cell_on_both_sides_says_what_parts_them() -> None:
    base, new = (made(*trials("c1", "epoll", [9, 9], duration=n), run=f"r{n}") for n in (3, 2))
    assert "No cell is on both sides: they differ in duration (3 and 2)." in text.terminal(judge.judge(base, new))


def test_the_columns_never_contradict_the_ratio() -> None:
    """Once rounded by their own spread: base 23,100, new 23,000, ratio 1.013."""
    for base, new in (([22_000, 24_200], [22_900, 23_830]), ([23_050, 23_060], [23_350, 23_370])):
        row = only(compared(base, new))
        assert row.ratio is not None and row.ratio.single.value > 1
        ours, theirs = (float(shown.split("/")[0].replace(",", "")) for shown in text.figures(row))
        assert theirs / ours == pytest.approx(row.ratio.single.value, abs=5e-4)
    assert text.together("p99", 999_900.0, 1_000_100.0) == ("0.9999 ms", "1.0001 ms")
    assert text.together("efficiency", 23_103.4, 23_402.9) == ("23,100/s", "23,400/s")


def test_the_noise_floor_withholds_and_makes_nothing_equivalent() -> None:
    base, new = (runs(name, trials("c1", "epoll", times(x))) for name, x in (("b", 9), ("n", 9.9)))
    assert only(judge.judge(base, new)).verdict == "better"
    noisy = replace(base, floors={"efficiency": 0.2})
    assert only(judge.judge(noisy, new)).verdict == only(judge.judge(new, noisy)).verdict == "inconclusive"


def test_the_noise_floor_is_that_of_the_runs_own_control() -> None:
    control = [row | {"control": True} for row in trials("c1", "epoll", [100, 104, 98])]
    found = made(*trials("c1", "epoll", [100, 100, 100]), *control)
    # Of fewer than six blocks it is the largest difference seen between the two that are alike.
    assert found.floors["efficiency"] == pytest.approx(0.04)
    assert found.cells[0].values["efficiency"] == [100, 100, 100]


def test_cells_are_matched_by_their_factors() -> None:
    base = made(
        *trials("c1", "epoll", [1, 1]), *trials("c2", "poll", [1, 1]), *trials("c3", "epoll", [1, 1], connections=9)
    )
    new = made(*trials("c7", "epoll", [1, 1], server_port=9100, workers=8), *trials("c8", "select", [1, 1]))
    found = judge.judge(base, new, ["efficiency"])
    # Nobody asked for server_port and workers; the number of connections is another measurement.
    assert [row.label for row in found.rows] == ["epoll, 100 connections"]
    assert found.missing == ["poll, 100 connections", "epoll, 9 connections"]
    assert found.added == ["select, 100 connections"]


def test_workers_tell_cells_apart_that_are_the_same_otherwise() -> None:
    base = made(*trials("c1", "workers", [2, 2], workers=2), *trials("c2", "workers", [4, 4], workers=4))
    new = made(*trials("c1", "workers", [4, 4], workers=4), *trials("c2", "workers", [8, 8], workers=8))
    found = judge.judge(base, new, ["efficiency"])
    assert [(row.base, row.new) for row in found.rows] == [([4.0, 4.0], [4.0, 4.0])]
    assert (len(found.missing), len(found.added)) == (1, 1)


def test_what_fail_on_takes() -> None:
    taken = {"worse:3%": 0.03, "worse:0.03": 0.03, "worse:0%": 0.0, "worse:12.5%": 0.125}
    assert {text: judge.limit(text) for text in taken} == pytest.approx(taken)
    for bad in ("", "worse", "worse:", "worse:x", "worse:-1%", "worse:100%", "better:3%", "3%", "worse:nan"):
        with pytest.raises(Unreadable, match="such as worse:3%"):
            judge.limit(bad)


@pytest.mark.parametrize(
    ("factor", "share", "code"),
    [
        (1.0, 0.03, 0),
        (1 / 1.05, 0.03, 0),  # worse, but the interval reaches to -2.6 %
        (1 / 1.05, 0.02, 1),
        (1 / 1.06, 0.03, 1),  # 1/1.06 · 1.0229 is below 1/1.03
        (1.06, 0.03, 0),  # better
    ],
)
def test_fail_on_needs_the_whole_interval_beyond(factor: float, share: float, code: int) -> None:
    assert judge.status(compared(times(100), times(100 * factor)), share)[0] == code


def test_more_is_worse_where_less_is_better() -> None:
    base, new = (
        runs(name, [row | {"response_p99_ns": x * 1e6} for row, x in zip(trials("c1", "e", [1] * 3), p99, strict=True)])
        for name, p99 in (("b", times(1)), ("n", times(1.06)))
    )
    code, why = judge.status(judge.judge(base, new, ["p99"]), 0.03)
    assert (code, why) == (1, "worse by more than 3 %: p99 response of e.")
    assert judge.status(judge.judge(new, base, ["p99"]), 0.03)[0] == 0


def test_not_comparable_does_not_pass_silently() -> None:
    epoll, poll = trials("c1", "epoll", times(9)), trials("c2", "poll", times(9))
    asked = 0.03
    one = made(*trials("c1", "epoll", [9.0]))
    code, why = judge.status(judge.judge(one, one), asked)
    assert code == 3 and why == "nothing could be compared, so nothing is known to be no worse."
    both, alone = runs("b", epoll, poll), runs("n", epoll)
    code, why = judge.status(judge.judge(both, alone), asked)
    assert code == 3 and why == "the new run does not have poll, so it cannot be judged."
    met = trials("c2", "poll", times(9), outcome="dnf", limit="descriptors")
    code, why = judge.status(judge.judge(both, runs("n", epoll, met)), asked)
    assert code == 3 and "of poll (new: n0: it met a limit (descriptors)" in why
    # What could not be compared before either is no news; nor is a cell more.
    assert judge.status(judge.judge(runs("b", epoll, met), runs("n", epoll, met)), asked)[0] == 0
    assert judge.status(judge.judge(runs("b", epoll), runs("n", epoll, poll)), asked)[0] == 0
    # What is worse is said first.
    assert judge.status(judge.judge(both, runs("n", trials("c1", "epoll", times(4)))), asked)[0] == 1


def test_why_something_is_not_compared() -> None:
    def why(base: list[Row], new: list[Row], metric: str) -> str:
        (row,) = judge.judge(made(*base), made(*new), [metric]).rows
        assert row.verdict == "not comparable" and row.ratio is None
        return row.why

    good = trials("c1", "epoll", times(9))
    beyond = trials("c1", "epoll", times(9), response_p99_ns=math.inf)
    assert why(good, beyond, "p99") == "new: the percentile lies among the requests that were never answered"
    assert why(trials("c1", "epoll", [9]), trials("c1", "epoll", [8]), "efficiency").startswith("both: one repetition")
    crashed = trials("c1", "epoll", times(9), outcome="crashed")
    assert why(crashed, good, "efficiency") == "base: no trial is good: crashed"
    assert why(good, good, "memory") == "both: memory per connection is not known of it"


def test_the_environments_are_held_against_each_other() -> None:
    base = made(*trials("c1", "e", [1, 1]), run="r1", git_commit="abc", parameters='{"seed": 1, "rate": 5}')
    new = made(*trials("c1", "e", [1, 1]), run="r2", git_commit="def", parameters='{"seed": 2, "rate": 5}')
    found = judge.judge(base, new)
    assert found.changes == [judge.Change("", "git commit", "abc", "def")]
    shown = text.terminal(found)
    assert "THE ENVIRONMENTS DIFFER" in shown and shown.index("git commit") < shown.index("efficiency")
    assert "environments differ" in text.markdown(found)
    assert text.CONFOUNDED in shown and text.SAME not in shown
    itself = text.terminal(judge.judge(base, base))
    assert "The environments are the same" in itself and text.SAME in itself and text.CONFOUNDED not in itself


def test_a_baseline_file_is_what_it_was_made_of(tmp_path: Path) -> None:
    finding = {"check": "SV1", "severity": "invalid", "cells": '["c1"]', "trials": "[]", "message": "too slow"}
    control = [row | {"control": True} for row in trials("c1", "epoll", [100, 104, 98])]
    found = made(
        *trials("c1", "epoll", [1.5, 2, 3], think_time=0.5), *control, *trials("c2", "poll", [1, 2]),
        *trials("c3", "select", [1, 1], response_p99_ns=math.inf), run="r1", git_commit="abc", findings=[finding],
    )  # fmt: skip
    path = tmp_path / "base.json"
    path.write_text(side.baseline_text(found), encoding="utf-8")
    assert side.read_baseline(path) == found
    assert side.side([f"main={path}"]) == replace(found, label="main")
    assert math.inf in found.cells[2].values["p99"] and found.findings[0].strategies == ["epoll"]
    # A line for each cell.
    assert sum('"strategy": "' in line for line in path.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda _: "{", "is no JSON"),
        (lambda _: "[" * 100_000, "is no JSON"),
        (lambda _: "[1]", "is no baseline file"),
        (lambda document: json.dumps(document | {"kind": "x"}), "is no baseline file"),
        (lambda document: json.dumps(document | {"version": 9}), "another version"),
        (lambda document: json.dumps(document | {"cells": 5}), "is a damaged baseline file"),
        (lambda document: json.dumps(document | {"floors": {"p99": "wide"}}), "is a damaged baseline file"),
        (lambda document: json.dumps(document | {"environment": [["a"]]}), "is a damaged baseline file"),
        (lambda document: json.dumps(document | {"findings": [{"check": "x"}]}), "is a damaged baseline file"),
        (lambda document: json.dumps({**document, "label": None}), "is a damaged baseline file"),
        (lambda _: json.dumps({"kind": side.KIND, "version": 1}), "is a damaged baseline file"),
        (lambda _: json.dumps({"kind": side.KIND, "version": 2}), "is a damaged baseline file"),
        (lambda document: with_cell(document, values={"speed": [1]}), "is a damaged baseline file"),
        (lambda document: with_cell(document, values={"p99": [None]}), "is a damaged baseline file"),
        (lambda document: with_cell(document, factors={}), "is a damaged baseline file"),
        (lambda document: with_cell(document | {"version": 1}, factors={}), "is a damaged baseline file"),
        (lambda document: with_factor(document, "connections", "many"), "is a damaged baseline file"),
        (lambda document: with_factor(document, "strategy", 7), "is a damaged baseline file"),
        (lambda document: with_factor(document, "steps", {"a": 1}), "is a damaged baseline file"),
    ],
)  # fmt: skip
def test_a_damaged_baseline_file_is_one_sentence(change: Any, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    path.write_text(change(json.loads(side.baseline_text(made(*trials("c1", "epoll", [1, 2]))))))
    with pytest.raises(Unreadable, match=sentence):
        side.read_baseline(path)


def test_a_baseline_file_of_version_1_has_other_names_and_no_parameter_that_is_younger(tmp_path: Path) -> None:
    factors = {"rate": 10, "think_time": 0.5, "server_command": "./mine", "server_port": 9100}
    younger = {"accept_batch": 64, "listen_timeout": 12, "read_bytes": 262144} | side.YOUNGER
    found = made(*trials("c1", "epoll", [1, 2], **factors, **younger))
    document = json.loads(side.baseline_text(found))
    (cell,) = document["cells"]
    old = {new: old for old, new in side.OLD_NAMES.items()}
    before = {old.get(name, name): value for name, value in cell["factors"].items() if name not in younger}
    assert set(before) == {
        "strategy", "command", "workload", "connections", "active", "rate_per_s", "requests", "arrival", "pipeline",
        "think_time_s", "steps", "hostile", "payload_bytes", "backlog", "connect_rate_per_s", "warmup_s", "duration_s",
        "timeout_s", "arm_timeout_s", "generator", "port", "ports", "workers",
    }  # fmt: skip
    path = tmp_path / "base.json"
    for field in ("runs", "unfinished", "margin"):
        del document[field]
    path.write_text(with_cell(document | {"version": 1}, factors=before))
    assert side.read_baseline(path) == found


def with_cell(document: Row, **fields: Any) -> str:
    return json.dumps(document | {"cells": [document["cells"][0] | fields]})


def with_factor(document: Row, name: str, value: Any) -> str:
    return with_cell(document, factors=document["cells"][0]["factors"] | {name: value})


HOSTILE = "a|b`<script>alert(1)</script>**x**[l](http://e.com)\n# h\x1b[31m@all</code>"


def test_nothing_foreign_becomes_markup() -> None:
    finding = {"check": "SV1", "severity": "invalid", "cells": "[]", "trials": "[]", "message": HOSTILE}
    base = made(*trials("c1", HOSTILE, times(9)), *trials("c2", f"{HOSTILE}2", [1, 1]), git_commit=HOSTILE,
                findings=[finding])  # fmt: skip
    new = made(*trials("c1", HOSTILE, times(4)), git_commit="x")
    found = judge.judge(base, new)
    shown = text.markdown(found, judge.status(found, 0.03)[1])
    for piece in ("<script", "a|b", "**x**", "](http", "\n# h", "\x1b", "@all", "http:"):
        assert piece not in shown
    assert shown.count("</code>") == shown.count("<code>")
    table = [line for line in shown.splitlines() if line.startswith("| <code>")]
    assert table and all(line.count("|") == 7 for line in table)
    assert "\x1b" not in text.terminal(found)


def test_markdown_shows_what_changed_and_folds_the_rest() -> None:
    base = runs("b", trials("c1", "epoll", times(100)), trials("c2", "poll", times(100)))
    new = runs("n", trials("c1", "epoll", times(50)), trials("c2", "poll", times(100)))
    shown, folded = text.markdown(judge.judge(base, new, ["efficiency"])).split("<details>")
    row = next(line for line in shown.splitlines() if "<code>epoll</code>" in line)
    # Half of what was, and an interval of t(4) at 97.5 %: 3.495406 standard errors of 0.0081650.
    assert row.startswith("| <code>epoll</code> | efficiency | 100") and row.endswith(
        "| 0.500 &#91;0.486, 0.514&#93; | **worse** |"
    )
    assert "poll" not in shown.replace("epoll", "") and "<code>poll</code>" in folded
    assert "1 worse, 1 " in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0416, "1.042"), (0.0004, "< 0.001"), (math.inf, "> 1,000"), (64.71, "64.7"), (0.0, "< 0.001")],
)
def test_factors(value: float, shown: str) -> None:
    assert text.factor(value) == shown


def run_of(folder: Path, cpu: float, spread: float = 0.01, run: str = RUN) -> str:
    """Three repetitions in which a request costs the server `cpu` × 40 µs, give or take."""
    planned = [trial(n, block=n) for n in (1, 2, 3)]
    events = [e for n, t in enumerate(planned) for e in whole(t, {1 * MS: 250}, cpu * math.exp(spread * (n - 1)))]
    log = write(folder, planned, events) / "events.jsonl"
    log.write_text(log.read_text().replace(RUN, run))
    return str(folder)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, slow = (
        [run_of(tmp_path / f"{name}{n}", cpu * (1 + n / 1000), run=f"20261122T19031{n}Z-{name}") for n in (1, 2)]
        for name, cpu in (("aaaaaa", 1.0), ("bbbbbb", 2.0))
    )
    kept = tmp_path / "base.json"
    assert main(["compare", "--save", str(kept), good[0]]) == 0
    base = [str(kept), good[1]]
    asked = ["--fail-on", "worse:3%", "--metric", "efficiency,cpu"]
    assert main(["compare", *base, *asked]) == 3  # one run a side
    assert "one run a side" in capsys.readouterr().err
    assert main(["compare", *base, "--new", f"slow={slow[0]}", slow[1], *asked]) == 1
    out, err = capsys.readouterr()
    assert "new   slow, " in out and "--fail-on worse:3%: worse by more than 3 %" in err
    assert main(["compare", *slow, "--new", *base, *asked]) == 0
    capsys.readouterr()
    assert main(["compare", *base, "--new", *slow, "--format", "json", "--metric", "efficiency"]) == 0
    document = json.loads(capsys.readouterr().out)
    (row,) = document["comparisons"]
    # 25,000 requests per CPU second, then 12,500.
    assert row["ratio"] == pytest.approx(0.5) and row["verdict"] == "worse" and document["decided"]
    assert row["base"] == pytest.approx([25_000 / 1.001, 25_000 / 1.002])
    target = tmp_path / "out.md"
    assert main(["compare", str(kept), slow[0], "--format", "md", "-o", str(target)]) == 0
    assert target.read_text().startswith("### Benchmark:")
    other = str(write(tmp_path / "other", [trial(1, connections=7), trial(2, block=2, connections=7)], []))
    assert main(["compare", str(kept), other]) == 3
    assert "No cell is on both sides: they differ in connections" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["RUN"], "takes two runs"),
        (["RUN", "RUN", "RUN"], "takes two runs"),
        (["RUN", "nowhere"], "nowhere"),
        (["RUN", "RUN", "--metric", "speed"], "there is no metric speed"),
        (["RUN", "RUN", "--fail-on", "bad"], "such as worse:3%"),
        (["RUN", "RUN", "--save", "x.json"], "takes one run"),
        (["RUN", "RUN", "--new", "RUN"], "is given twice"),
        (["RUN", "--save", "x.txt"], "must end in .json"),
        (["RUN", "--save", "no/such/directory/x.json"], "cannot be written"),
        (["RUN", "missing.json"], "cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_of(tmp_path / "run", 1.0)
    assert main(["compare", *(folder if word == "RUN" else word for word in arguments)]) == 2
    out, err = capsys.readouterr()
    assert sentence in err and err.count("\n") == 1 and not out
