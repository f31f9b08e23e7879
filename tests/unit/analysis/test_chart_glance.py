"""The table at the top: who stands where, and why."""

import math
from typing import Any

import pytest

from analysis.charts import glance, registry
from analysis.charts.registry import make
from tests.unit.analysis.chart_data import Row, contrast, dataset_of, estimate, struck, trial

# The slowest is planned first, so that the order is not that of the plan.
TRIALS = [
    trial(1, "poll", errors_requests=5),
    trial(2, "select", outcome="dnf", limit="FD_SETSIZE", held_connections=1018),
    trial(3, "epoll", errors_requests=0),
    trial(4, "trio"),
]
ESTIMATES = [
    estimate("poll", "efficiency", 4000, 3900, 4100),
    estimate("epoll", "efficiency", 20_123, 19_900, 20_300),
    estimate("trio", "efficiency", 90_000, 89_000, 91_000),
    estimate("epoll", "p99_9", 4e6, 3e6, 5e6, quality="marked"),
]


def frame_of(**changes: Any) -> list[Row]:
    tables: dict[str, Any] = {"trials": TRIALS, "estimates": ESTIMATES, "findings": [struck("trio", "Saturated.")]}
    frame = glance.data(dataset_of(**tables | changes))
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def test_good_rows_by_what_is_decided_then_limits_then_what_is_struck() -> None:
    assert [row["label"] for row in frame_of()] == ["epoll", "poll", "select", "trio"]  # as planned: nothing is decided
    undecided = contrast("poll", 1.2, 0.9, 1.4, "inconclusive")
    assert [row["label"] for row in frame_of(contrasts=[undecided])][:2] == ["epoll", "poll"]
    rows = frame_of(contrasts=[contrast("poll", 1.2, 1.1, 1.3, "better")])
    assert [row["label"] for row in rows] == ["poll", "epoll", "select", "trio"]
    rows = frame_of()
    assert [bool(row["struck"]) for row in rows] == [False, False, False, True]
    assert [row["why"] for row in rows] == ["", "", "stopped at 1,018 (FD_SETSIZE)", "Saturated."]


def test_each_row_has_its_figures_with_interval_and_quality() -> None:
    epoll, poll, select, _ = frame_of()
    assert [epoll[f"efficiency_{part}"] for part in ("value", "low", "high")] == [20_123, 19_900, 20_300]
    assert (epoll["efficiency_quality"], epoll["p99_9_quality"], epoll["p50_quality"]) == ("solid", "marked", "absent")
    assert math.isnan(epoll["p50_value"])
    assert poll["errors_share"] == 0.005
    assert epoll["errors_share"] == 0
    assert select["held_connections"] == 1018


def test_the_verdict_is_the_contrasts() -> None:
    rows = frame_of(contrasts=[contrast("poll", 0.2, 0.19, 0.21, "worse"), contrast("epoll", 1.0, 0.99, 1.01, "")])
    assert [row["verdict"] for row in rows] == ["baseline", "worse", "", ""]


def test_several_loads_stand_apart_the_lowest_first() -> None:
    trials = [
        trial(1, "epoll", cell="c-high", rate=2000),
        trial(2, "epoll", cell="c-low", rate=1000),
        trial(3, "poll", cell="c-poll", rate=2000),
    ]
    figures = [estimate(name, "efficiency", value) for name, value in (("high", 10), ("low", 5), ("poll", 20))]
    rows = glance.data(dataset_of(trials=trials, estimates=figures))
    assert rows["label"].tolist() == ["epoll, 1,000/s", "epoll, 2,000/s", "poll, 2,000/s"]


def test_what_it_says() -> None:
    figure = make(glance, dataset_of(trials=TRIALS, estimates=ESTIMATES, findings=[struck("trio", "Saturated.")]))
    assert figure is not None
    assert figure.caption == ("2 of 4 held every connection asked for; 1 met a limit; 1 is struck, with the reason.")


def test_the_objective_is_met_or_missed_per_row() -> None:
    runs = [{"run": "r1", "slo": "p99=10ms"}]
    trials = [trial(n, "epoll", block=n, response_p99_ns=9e6 + n * 1e6) for n in (1, 2)]
    trials += [trial(3, "poll", response_p99_ns=89e6), trial(4, "trio", response_p99_ns=1e6), trial(5, "uvloop")]
    frame = glance.data(dataset_of(runs=runs, trials=trials))
    assert dict(zip(frame["label"], frame["kept"], strict=True)) == {
        "epoll": "met in 1 of 2", "poll": "missed", "trio": "met", "uvloop": ""}  # fmt: skip
    assert glance.caption(frame).endswith("1 of 3 met p99 ≤ 10 ms.")


def test_what_a_finding_forbids_is_marked_where_it_stands() -> None:
    late = struck("epoll", "Sent late.", "GN3") | {"severity": "warn", "cells": "[]", "trials": "[3]"}
    rows = {row["label"]: row for row in frame_of(findings=[late])}
    assert (rows["epoll"]["p99_doubt"], rows["epoll"]["p50_doubt"], rows["poll"]["p99_doubt"]) == ("GN3", "", "")
    order = struck("epoll", "One order.", "DS4") | {"severity": "warn", "cells": "[]", "trials": "[]"}
    rows = {
        row["label"]: row for row in frame_of(findings=[order], contrasts=[contrast("poll", 2, 1.9, 2.1, "better")])
    }
    assert rows["poll"]["ratio_doubt"] == "DS4"
    assert list(rows)[:2] == ["epoll", "poll"]  # nothing is ranked by what a finding forbids


def test_a_crash_is_told_by_its_reason() -> None:
    (row,) = glance.data(dataset_of(trials=[trial(1, outcome="crashed", reason="signal \x1b 11")])).to_dict("records")
    assert row["struck"]
    assert row["why"] == "signal \\u001b 11"


@pytest.mark.parametrize("chart", registry.CHARTS, ids=lambda chart: chart.NAME)
def test_without_a_trial_no_chart_has_anything_to_show(chart: registry.Module) -> None:
    assert make(chart, dataset_of()) is None
