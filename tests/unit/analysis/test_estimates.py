"""Trials to figures and estimates: which trials count for what, and on what a cell's figure rests."""

import json
import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from analysis.estimates import estimates_table, metrics_table
from analysis.metrics import METRICS
from analysis.model import Dataset
from tests.unit.analysis.chart_data import dataset_of

Row = dict[Any, Any]


def trial(n: int, cell: str = "c1", outcome: str = "ok", **figures: Any) -> Row:
    row: Row = {
        "run": "r",
        "trial": n,
        "block": n,
        "cell": cell,
        "control": False,
        "strategy": cell,
        "outcome": outcome,
    }
    return row | figures


def dataset(*trials: Row, findings: list[Row] | None = None) -> Dataset:
    raw = dataset_of(trials=trials, findings=findings or [])
    return replace(raw, metrics=metrics_table(raw))


def invalid(*trials: int, cells: tuple[str, ...] = ()) -> Row:
    return {"run": "r", "check": "X1", "severity": "invalid", "scope": "trial", "cells": json.dumps(cells),
            "trials": json.dumps(trials), "hosts": "[]", "evidence": "[]", "message": "…"}  # fmt: skip


def metric(data: Dataset, trial: int, name: str) -> Row:
    rows = data.metrics[(data.metrics["trial"] == trial) & (data.metrics["metric"] == name)]
    assert len(rows) == 1
    row: Row = rows.to_dict("records")[0]
    return row


def estimate(data: Dataset, name: str, cell: str = "c1") -> Row:
    table = estimates_table(data)
    rows = table[(table["cell"] == cell) & (table["metric"] == name)]
    assert len(rows) == 1
    row: Row = rows.to_dict("records")[0]
    return row


def test_a_row_for_every_trial_and_metric() -> None:
    data = dataset(trial(1), trial(2, outcome="not run"))
    assert len(data.metrics) == 2 * len(METRICS)
    assert data.metrics["metric"].tolist() == list(METRICS) * 2
    assert data.metrics["trial"].tolist() == [1] * len(METRICS) + [2] * len(METRICS)
    assert set(data.metrics["quality"]) == {"absent"}


@pytest.mark.parametrize(
    ("value", "tail", "expected"),
    [
        (5e6, 100.0, (5e6, "solid")),
        (5e6, 99.9, (5e6, "marked")),
        (5e6, 10.0, (5e6, "marked")),
        (5e6, 9.9, (math.nan, "withheld")),
        (math.nan, 0.0, (math.nan, "withheld")),
        (math.nan, 500.0, (math.nan, "absent")),
        (math.nan, math.nan, (math.nan, "absent")),
        (math.inf, 100.0, (math.inf, "solid")),  # the requests that it is among were never answered: a value
    ],
)
def test_how_good_a_percentile_is(value: float, tail: float, expected: tuple[float, str]) -> None:
    data = dataset(trial(1, response_p99_ns=value, response_p99_tail_requests=tail))
    found = metric(data, 1, "p99")
    assert found["value"] == pytest.approx(expected[0], nan_ok=True)
    assert found["tail_events"] == pytest.approx(tail, nan_ok=True)
    assert found["quality"] == expected[1]


def test_other_figures_have_no_tail() -> None:
    data = dataset(trial(1, requests_per_cpu_s=30_000.0))
    found = metric(data, 1, "efficiency")
    assert (found["value"], found["quality"]) == (30_000, "solid")
    assert math.isnan(found["tail_events"])


def test_a_trial_at_its_limit_tells_only_how_many_it_held() -> None:
    figures: Row = {"held_connections": 1018.0, "rss_bytes_per_connection": 65536.0}
    data = dataset(
        trial(1, outcome="dnf", **figures), trial(2, outcome="crashed", **figures), trial(3, **figures), trial(4)
    )
    assert [metric(data, n, "held")["value"] for n in (1, 3)] == [1018, 1018]
    assert metric(data, 2, "held")["quality"] == "absent"
    assert metric(data, 1, "memory")["quality"] == "absent"
    assert metric(data, 3, "memory")["value"] == 65536
    assert metric(data, 4, "memory")["quality"] == "absent"


def test_an_estimate_of_three_by_hand() -> None:
    # Powers of two 0, 1, 2: 2 to the power of 1 ± 2.484138, in thousands.
    data = dataset(*(trial(n, requests_per_cpu_s=1000.0 * 2 ** (n - 1)) for n in (1, 2, 3)))
    found = estimate(data, "efficiency")
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        (2000, 1000 * 2**-1.484138, 1000 * 2**3.484138)
    )
    assert (found["confidence"], found["n"], found["quality"]) == (0.95, 3, "solid")
    assert found["method"] == "geometric mean, Student's t, small n"


def test_an_estimate_of_six_by_hand() -> None:
    data = dataset(*(trial(n, requests_per_s=float(n)) for n in range(1, 7)))
    found = estimate(data, "throughput")
    assert (found["value"], found["low"], found["high"]) == pytest.approx((3.5, 1 + 5 / 14, 6 - 5 / 14))


def test_controls_and_trials_that_do_not_count_are_left_out() -> None:
    values = [10.0, 20.0, 40.0, 80.0, 160.0]
    trials = [trial(n, cpu_us_per_request=value) for n, value in enumerate(values, 1)]
    trials[1]["control"], trials[2]["outcome"] = True, "partial"
    data = dataset(*trials, findings=[invalid(4, cells=("c1",)), invalid(5) | {"severity": "warn"}])
    found = estimate(data, "cpu")
    assert (found["n"], found["value"]) == (2, pytest.approx(40))  # of 10 and 160


def test_a_cell_without_a_repetition_has_a_row() -> None:
    data = dataset(trial(1, outcome="crashed", requests_per_s=5.0), trial(2, "c2", requests_per_s=5.0))
    found = estimate(data, "throughput")
    assert (found["n"], found["quality"], found["method"]) == (0, "absent", "no repetition")
    assert math.isnan(found["value"])
    only = estimate(data, "throughput", "c2")
    assert (only["n"], only["value"], only["method"]) == (1, 5, "one repetition")
    assert math.isnan(only["low"]) and math.isnan(only["high"])


def test_the_quality_is_the_worst_of_what_it_rests_on() -> None:
    def percentile(n: int, tail: float) -> Row:
        return trial(n, response_p99_ns=1e6, response_p99_tail_requests=tail)

    assert estimate(dataset(percentile(1, 500), percentile(2, 50)), "p99")["quality"] == "marked"
    some = estimate(dataset(percentile(1, 500), percentile(2, 5)), "p99")
    assert (some["quality"], some["n"]) == ("solid", 1)
    assert estimate(dataset(percentile(1, 5), percentile(2, 5)), "p99")["quality"] == "withheld"


def test_a_percentile_among_the_unanswered_is_no_hole() -> None:
    trials = [
        trial(n, response_p99_ns=value, response_p99_tail_requests=200.0)
        for n, value in enumerate([1e6, math.inf, math.inf], 1)
    ]
    found = estimate(dataset(*trials), "p99")
    assert (found["value"], found["low"], found["high"], found["n"]) == (math.inf, 1e6, math.inf, 3)


def test_a_run_given_twice_is_no_repetition_of_itself() -> None:
    trials = [trial(n, requests_per_s=100.0 + n) for n in (1, 2, 3)]
    once, twice = dataset(*trials), dataset(*trials, *trials)
    assert estimate(twice, "throughput") == estimate(once, "throughput")


def test_cells_of_two_runs_are_two() -> None:
    trials = [trial(1, requests_per_s=1.0), trial(1, requests_per_s=2.0) | {"run": "s"}]
    table = estimates_table(dataset(*trials))
    found = table[table["metric"] == "throughput"]
    assert list(zip(found["run"], found["value"], strict=True)) == [("r", 1), ("s", 2)]


def test_nothing_gives_empty_tables() -> None:
    data = dataset()
    assert data.metrics.empty
    estimates = estimates_table(data)
    assert isinstance(estimates, pd.DataFrame) and estimates.empty
