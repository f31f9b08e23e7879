"""The report as text: its tables and sentences by hand, and what any run must come out as."""

import base64
import gzip
import json
import math
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest

from analysis.answers.trust import counts, located, trust
from analysis.charts import glance
from analysis.dataset import load
from analysis.demo.truth import Cell, truth
from analysis.demo.write import write as write_demo
from analysis.model import Dataset
from analysis.report import build as build_module
from analysis.report import tables, words
from analysis.report.build import build, html
from analysis.terminal import grid
from tests.unit.analysis.build import Document, ended, started, trial, whole, write
from tests.unit.analysis.chart_data import Row, contrast, dataset_of, estimate, struck
from tests.unit.analysis.chart_data import trial as row_of_trial

HOSTILE = "<script>alert(1)</script>\x1b]0;owned\x07\u202e</title><img src=x onerror=alert(2)>"


def run_of(folder: Path, *trials: Document, **fields: Any) -> Dataset:
    events: list[Document] = []
    for one in trials:
        events += whole(one, **fields)
    return load([str(write(folder, list(trials), events))])


def test_what_cannot_be_told_is_nowhere_called_met() -> None:
    """The defect: "met", below a sentence by which it could not be told."""
    late = struck("epoll", "Another law.", "GN10") | {"severity": "warn", "cells": "[]", "trials": "[1]"}
    frame = glance.data(dataset_of(
        runs=[{"run": "r1", "slo": "p99=10ms"}], trials=[row_of_trial(1, response_p99_ns=1e6)], findings=[late]
    ))  # fmt: skip
    assert "cannot be told" in [cell.text for cell in tables.glance(frame).rows[0].cells]
    shown, legend = grid(frame)
    assert " ? " in "".join(shown) and "?: a finding forbids to say whether it was met" in legend
    assert "met" not in "".join(shown)


@pytest.mark.parametrize("validity", ["suspect", "valid"])
def test_the_legend_says_what_suspect_means_where_it_stands(validity: str) -> None:
    _, legend = grid(glance.data(dataset_of(trials=[row_of_trial(1, validity=validity)])))
    assert any(text.startswith("suspect: ") for text in legend) == (validity == "suspect")


def test_a_row_at_a_glance() -> None:
    dataset = dataset_of(
        trials=[row_of_trial(1, held_connections=10_000, errors_requests=7), row_of_trial(2, "poll")],
        estimates=[estimate("epoll", "efficiency", 20_000, 19_000, 21_000), estimate("poll", "efficiency", 40_000),
                   estimate("epoll", "p99", 2e6, 1e6, 4e6, quality="marked"), estimate("poll", "p99", 2e6)],
        contrasts=[contrast("epoll", 0.5, 0.4, 0.6, "worse", baseline="c-poll")])  # fmt: skip
    table = tables.glance(glance.data(dataset))
    poll, epoll = table.rows
    by_name = dict(zip(table.headings, epoll.cells, strict=True))
    shown = ("strategy", "held", "requests per CPU second", "p99 response", "errors")
    assert [by_name[name].text for name in shown] == [
        "epoll", "10,000", "20,000", "2.0 ms", "0.70 %"]  # fmt: skip
    # The bar of this column spans 0 to 1.25 × 40,000.
    assert by_name["requests per CPU second"].bar == tables.Bar(38.0, 42.0, 40.0)
    assert by_name["requests per CPU second"].interval == "95 % interval 19,000 to 21,000"
    # On a logarithmic bar from half the least centre to twice the greatest, 1 ms to 4 ms, 2 ms is the middle.
    assert by_name["p99 response"].bar == tables.Bar(0.0, 100.0, 50.0)
    assert by_name["p99 response"].is_marked
    assert by_name["median response"].text == "–"
    assert table.headings[1] == "requests per CPU second, ÷ poll"
    assert epoll.cells[1].text == "0.50 × [0.40, 0.60] worse"
    assert [poll.cells[i].text for i in (3, 1)] == ["0", "baseline"]
    alone = dict(zip(table.headings, poll.cells, strict=True))["requests per CPU second"]
    assert (alone.interval, alone.bar) == ("one repetition: no interval", tables.Bar(80.0, 80.0, 80.0))


def test_a_frame_as_a_table() -> None:
    frame = pd.DataFrame(
        {"a": [1.0, 2.5, math.inf, math.nan], "b": ["x", "y\x1b", None, "z"], "c": [True, False, None, True]}
    )
    table = tables.of_frame(frame, "caption", most=3)
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["1", "x", "yes"], ["2.500", "y\\u001b", "no"], ["∞", "", ""]]  # fmt: skip
    assert (table.headings, table.rest) == (("a", "b", "c"), 1)


def test_a_download_is_the_csv() -> None:
    text = "é, 100 % of #1 & 'more' +\n"
    frame = pd.DataFrame({"label": ["epoll", text], "cpu_us": [41.5, None], "rows": [1e9, None]})
    found = tables.download("cost", frame)
    kind, _, coded = found.href.partition(",")
    assert (found.name, kind, found.rows) == ("cost.csv", "data:text/csv;charset=utf-8", 2)
    assert coded.isascii() and not set(coded) & set(" #&'+\"\n<")
    assert unquote(coded) == "label,cpu_us,rows\nepoll,41.5,1000000000\n\"é, 100 % of #1 & 'more' +\\u000a\",,\n"


CLEAN = [row_of_trial(n, name) for n, name in enumerate(("epoll", "poll", "select"), start=1)]
CUT = row_of_trial(4, "poll", block=2, outcome="not run")
LIMITED = row_of_trial(4, "uring", outcome="dnf", held_connections=1000)
WARNINGS = [struck("epoll", message) | {"severity": "warn"} for message in ("Mind.", "Mind too.")]


@pytest.mark.parametrize(
    ("trials", "findings", "told", "repetitions", "sentence"),
    [
        (CLEAN, [], {"cells": 3, "struck": 0, "limited": 0, "warn": 0}, 10,
         "3 of 3 rows were measured to the end."),
        ([*CLEAN, LIMITED], [struck("poll", "Bad."), *WARNINGS], {"cells": 4, "struck": 1, "limited": 1, "warn": 2}, 3,
         "2 of 4 rows were measured to the end, 1 stopped at a limit, 1 is struck and in no ranking. "
         "With 3 repetitions only large differences can be told."),
        ([*CLEAN[:2], CUT], [], {"cells": 2, "struck": 0, "limited": 0, "unfinished": 1}, 10,
         "1 of 2 rows were measured to the end, 1 of fewer repetitions than planned."),
        ([], [], {"cells": 0, "struck": 0, "limited": 0, "warn": 0}, 1, "There is nothing here to trust."),
    ],
    ids=["clean", "doubtful", "cut off", "empty"],
)  # fmt: skip
def test_may_i_trust_these_numbers(
    trials: list[Row], findings: list[Row], told: dict[str, int], repetitions: int, sentence: str
) -> None:
    repeated = [row | {"trial": row["trial"] + 10 * n, "block": n + 1} for n in range(repetitions) for row in trials]
    dataset = dataset_of(trials=repeated, findings=findings)
    assert {name: n for name, n in counts(dataset).items() if name in told} == told
    assert trust(dataset) == sentence


def test_findings_the_worst_first_and_where() -> None:
    trials = [row_of_trial(n, f"s{n}") for n in range(1, 12)]
    many = struck("s1", "Bad.") | {"cells": json.dumps([f"c-s{n}" for n in range(1, 12)]), "trials": "[1, 2]"}
    mild = struck("s1", "Mild.") | {"severity": "info", "cells": "[]", "hosts": '["client1"]'}
    found = located(dataset_of(trials=trials, findings=[mild, many]))
    assert [one.severity for one, _ in found] == ["invalid", "info"]
    assert found[0][1] == "s1; s2; s3; s4; s5; s6; s7; s8 and 3 more · trials 1, 2"
    assert found[1][1] == "client1"
    assert counts(dataset_of(trials=trials, findings=[mild, many])) == {
        "invalid": 1, "warn": 0, "info": 1, "struck": 11, "limited": 0, "unfinished": 0, "lost": 0,
        "cells": 11}  # fmt: skip


def test_what_may_be_claimed() -> None:
    hosts = [{"run": "r1", "host": name, "role": "client", "facts": '{"boot_id": "one"}'} for name in ("a", "b")]
    trials = [
        row_of_trial(1, workload="closed", rate=500),
        row_of_trial(2, "poll", workload="closed", rate=900),
    ]
    lines = words.limits(dataset_of(trials=trials, hosts=hosts))
    assert lines[0].startswith("Varied: strategy, rate.")
    assert "connections 10,000" in lines[0]
    assert any("All hosts share one machine" in line for line in lines)
    assert any("closed loop" in line for line in lines)
    assert not any("one machine" in line for line in words.limits(dataset_of(trials=trials, hosts=hosts[:1])))


def payload(text: str) -> dict[str, Any]:
    found = re.search(r'id="payload">"([^"]*)"<', text)
    assert found
    document: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return document


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "run"
    write_demo(folder, made=truth(1, None, (Cell("epoll"), Cell("poll"), Cell("select")), blocks=3))
    return folder


def test_every_chart_is_there_as_picture_as_data_and_as_a_sentence(small: Path) -> None:
    dataset = load([str(small)])
    page, text = build(dataset), html(dataset)
    sections = [*page["charts"], *page["honesty"]]
    assert len(sections) >= 9
    assert set(payload(text)["specs"]) == {section.chart.name for section in sections}
    for section in sections:
        assert section.chart.drawing is not None
        section.chart.drawing.to_dict()  # raises where it is not of Vega-Lite's schema, which theme.document trusts
        assert f'id="chart-{section.chart.name}"><svg role="img" aria-label="' in text
        assert f'download="{section.chart.name}.csv"' in text
        assert section.chart.caption.endswith(".")
        assert section.table.rows
    # The same ids in two pictures would be one.
    ids = re.findall(r'\bid="([^"]+)"', re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))
    assert len(ids) == len(set(ids))


def test_the_program_of_the_page_is_made_once_and_is_the_same_when_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "CACHE", tmp_path / "cache")
    made = build_module._bundle.__wrapped__()
    kept = next((tmp_path / "cache").iterdir())
    assert len(made) > 100_000
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda _: "made again")
    assert build_module._bundle.__wrapped__() == made
    kept.unlink()
    kept.mkdir()  # a cache that cannot be used costs time only
    assert build_module._bundle.__wrapped__() == "made again"


def test_it_is_small_the_same_each_time_and_needs_nothing_else(small: Path) -> None:
    one, other = html(load([str(small)])), html(load([str(small)]))
    assert one == other
    assert len(one.encode()) <= 3_000_000
    outside = re.sub(r"<script>.*?</script>", "", one, flags=re.DOTALL)
    loaded = re.findall(r"""(?:src|href|action|poster)\s*=\s*["']?([^"'\s>]+)""", outside)
    assert {address.split(":")[0] if address.startswith("data:") else address[0] for address in loaded} <= {"#", "data"}
    assert "@import" not in outside
    assert "http-equiv" in outside
    assert "default-src 'none'" in outside


def test_one_strategy_has_a_report_of_its_own(tmp_path: Path) -> None:
    text = html(run_of(tmp_path / "run", trial(1)))
    assert "<h1>epoll held 1,000 of 1,000 connections and 1,000 requests/s" in text
    assert 'id="effects"' not in text


@pytest.mark.parametrize(
    ("outcome", "fields", "headline"),
    [
        ("crashed", {"reason": "signal 11"}, "epoll crashed: signal 11."),
        ("dnf", {"held": 400}, "epoll held 400 of 1,000 connections and met a limit of its own."),
    ],
)  # fmt: skip
def test_a_run_in_which_nothing_went_well(outcome: str, fields: dict[str, Any], headline: str, tmp_path: Path) -> None:
    one = trial(1)
    text = html(load([str(write(tmp_path / "run", [one], [started(one), ended(one, outcome, **fields)]))]))
    assert f"<h1>{headline}</h1>" in text


def test_a_run_cut_off_before_its_first_trial(tmp_path: Path) -> None:
    text = html(load([str(write(tmp_path / "run", [trial(1)], [], end=None))]))
    assert "<h1>Nothing was measured to the end.</h1>" in text
    assert "What could not be read" in text or "DT1" in text


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    one = trial(1, HOSTILE)
    bad = {"id": "ZZ1", "severity": "warn", "message": HOSTILE, "evidence": {"host": HOSTILE}, "remedy": HOSTILE}
    lines = [*whole(one)[:-1], ended(one, strategy=HOSTILE, findings=[bad])]
    dataset = load([str(write(tmp_path / "run", [one], lines))])
    text = html(dataset)
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "<img src=x" not in outside
    assert "alert(1)</script>" not in outside
    assert "\x1b" not in text
    assert "\u202e" not in outside
    assert "&lt;img src=x onerror" in outside


def test_two_runs_in_one_report(tmp_path: Path) -> None:
    first = write(tmp_path / "a", [trial(1)], whole(trial(1)))
    second = write(tmp_path / "b", [trial(1)], whole(trial(1)))
    for path in (second / "events.jsonl",):
        path.write_text(path.read_text().replace("3f9a1c", "aaaaaa"))
    text = html(load([str(first), str(second)]))
    assert "Several runs are shown together" in text
    assert "epoll, 20261122T190312Z-3f9a1c" in text
    assert "epoll, 20261122T190312Z-aaaaaa" in text


def test_errors_are_summed_by_cause() -> None:
    errors: list[Row] = [
        {"run": "r1", "trial": 1, "host": host, "phase": "connect", "cause": "refused", "blame": "server", "count": 3,
         "first": "refused at once"} for host in ("client1", "client2")]  # fmt: skip
    page = build(dataset_of(runs=[{"run": "r1"}], trials=[row_of_trial(1)], errors=errors))
    (row,) = page["errors"].rows
    assert [cell.text for cell in row.cells] == ["epoll", "connect", "refused", "server", "6", "refused at once"]
