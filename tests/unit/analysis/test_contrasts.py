"""Cells against their baseline: who is compared with whom, the noise floor, and the verdict with its reasons."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.contrasts import contrasts_table
from analysis.estimates import metrics_table
from analysis.model import Dataset
from analysis.unreadable import Unreadable
from tests.unit.analysis.chart_data import dataset_of

Row = dict[Any, Any]


def trials(
    cell: str, strategy: str, values: Sequence[float | None], *, control: bool = False, outcome: str = "ok",
    column: str = "requests_per_cpu_s", **factors: Any,
) -> list[Row]:  # fmt: skip
    """One trial per block with this figure; a block without one was not run."""
    common: Row = {"run": "r", "cell": cell, "strategy": strategy, "control": control, "connections": 100,
                   "active": 100, "workload": "open", "rate": 10} | factors  # fmt: skip
    return [
        common | {"block": block, "outcome": "not run" if value is None else outcome, column: value,
                  **({f"{column[:-3]}_tail_requests": 500.0} if column.endswith("_ns") else {})}
        for block, value in enumerate(values, 1)
    ]  # fmt: skip


def dataset(rows: Iterable[Row], findings: list[Row] | None = None, margin: float | None = None) -> Dataset:
    raw = dataset_of(
        runs=[{"run": "r", "margin": margin}], trials=[{"trial": n, **row} for n, row in enumerate(rows, 1)],
        findings=findings or [],
    )  # fmt: skip
    return replace(raw, metrics=metrics_table(raw))


def contrasts(
    rows: Iterable[Row], metric: str = "efficiency", baseline: str | None = None, findings: list[Row] | None = None,
    margin: float | None = None,
) -> dict[str, Row]:  # fmt: skip
    """The contrasts of one metric by their cells; an A/A contrast is `A/A <cell>`."""
    table = contrasts_table(dataset(rows, findings, margin), baseline)
    found = table[table["metric"] == metric].to_dict("records")
    named = {(f"A/A {row['cell']}" if row["cell"] == row["baseline"] else str(row["cell"])): row for row in found}
    assert len(named) == len(found)
    return named


def test_a_ratio_of_blocks_by_hand() -> None:
    # Ratios 2, 4, 8: as powers of two 1, 2, 3, mean 2, and t of two degrees of freedom: 2 ± 2.484138. What the blocks
    # share (1, 10, 100) is nothing.
    found = contrasts(trials("c1", "a", [1, 10, 100]) + trials("c2", "b", [2, 40, 800]))
    row = found["c2"]
    assert (row["ratio"], row["low"], row["high"]) == pytest.approx((4, 2**-0.484138, 2**4.484138))
    assert (row["family_low"], row["family_high"]) == pytest.approx((row["low"], row["high"]))
    assert row["p"] == pytest.approx(1 - math.sqrt(12 / 14)) and row["p_holm"] == row["p"]
    assert (row["baseline"], row["n"], row["confidence"], row["family_confidence"]) == ("c1", 3, 0.95, 0.95)
    assert (row["method"], row["verdict"]) == ("geometric mean, Student's t", "inconclusive")
    assert row["margin"] == 0.03 and math.isnan(row["noise_floor"]) and pd.isna(row["why"])


def test_the_direction_of_the_metric_decides_the_word() -> None:
    twice = [2.0, 2.02, 2.04]
    for column, metric, word in (
        ("requests_per_cpu_s", "efficiency", "better"),
        ("cpu_us_per_request", "cpu", "worse"),
    ):
        rows = trials("c1", "a", [1, 1, 1], column=column) + trials("c2", "b", twice, column=column)
        assert contrasts(rows, metric)["c2"]["verdict"] == word


def test_several_comparisons_share_the_risk() -> None:
    rows = trials("c1", "a", [1, 1, 1])
    rows += trials("c2", "b", [2, 2.02, 2.04]) + trials("c3", "c", [1.1, 1.19, 1.1]) + trials("c4", "d", [1, 1.2, 0.9])
    found = contrasts(rows)
    ps = [found[cell]["p"] for cell in ("c2", "c3", "c4")]
    assert ps == sorted(ps) and ps[0] < 0.05 / 3 and 0.05 / 2 < ps[1] < 0.05 < ps[2]
    assert [found[cell]["family_confidence"] for cell in ("c2", "c3", "c4")] == pytest.approx(
        [1 - 0.05 / 3, 0.975, 0.975]
    )
    assert [found[cell]["p_holm"] for cell in ("c2", "c3")] == pytest.approx([3 * ps[0], 2 * ps[1]])
    assert [found[cell]["verdict"] for cell in ("c2", "c3", "c4")] == ["better", "inconclusive", "inconclusive"]
    assert found["c3"]["low"] > 1 > found["c3"]["family_low"]  # alone it would have been told


def test_the_control_sets_the_noise_floor_that_withholds_a_word() -> None:
    # Control over its twin e^-.08, 1, e^.08: of fewer than six blocks the largest difference counts.
    rows = trials("c1", "a", [1, 1, 1]) + trials("c2", "b", [1.05 * x for x in WITH_IT])
    rows += trials("c1", "a", [math.exp(x) for x in (-0.08, 0, 0.08)], control=True)
    found = contrasts(rows)
    control, floor = found["A/A c1"], math.exp(0.08) - 1
    # Its interval is Student's: standard error .08/√3, half of it 4.302653 · .08/√3 = 0.198731.
    assert (control["ratio"], control["low"], control["high"]) == pytest.approx(
        (1, math.exp(-0.198731), math.exp(0.198731)), rel=1e-5
    )
    assert (control["family_low"], control["p_holm"]) == (control["low"], control["p"])
    for row in found.values():
        assert (row["margin"], row["noise_floor"]) == pytest.approx((0.03, floor), rel=1e-5)
    # A difference for sure, but no larger than what two measurements of one thing differ by: not told, nor the same.
    assert found["c2"]["low"] > 1.03 and found["c2"]["high"] < 1 + floor and found["c2"]["verdict"] == "inconclusive"
    # The defect: "could have found one of 3.0 %" of a run whose noise floor was 18.5 %.
    assert found["c2"]["least"] >= floor


WITH_IT = [math.exp(x) for x in (-0.04, 0, 0.04)]  # the mean of the baseline and its control above


def test_the_control_is_a_measurement_of_the_baseline() -> None:
    # The baseline's own blocks spread, and so does their control, the other way round: their mean does not.
    rows = trials("c1", "a", [1.1, 1, 1 / 1.1]) + trials("c2", "b", [1.4, 1.4, 1.401])
    alone = contrasts(rows)["c2"]
    row = contrasts(rows + trials("c1", "a", [1 / 1.1, 1, 1.1], control=True))["c2"]
    assert (alone["ratio"], row["ratio"]) == pytest.approx((1.4, 1.4), rel=1e-3)
    assert row["high"] / row["low"] < 1.01 < 1.4 < alone["high"] / alone["low"]
    # One that lacks a block is left out of all.
    cut = contrasts(rows + trials("c1", "a", [1 / 1.1, 1, None], control=True))["c2"]
    assert (cut["low"], cut["high"]) == (alone["low"], alone["high"])


def test_the_margin_is_the_one_that_the_run_stated() -> None:
    rows = trials("c1", "a", [1, 1, 1]) + trials("c2", "b", [1.04, 1.041, 1.04])
    assert (contrasts(rows)["c2"]["margin"], contrasts(rows)["c2"]["verdict"]) == (0.03, "better")
    stated = contrasts(rows, margin=0.05)["c2"]
    assert (stated["margin"], stated["verdict"]) == (0.05, "equivalent")
    assert contrasts(rows, margin=7.0)["c2"]["margin"] == 0.03  # of no run of ours


def test_a_noisier_control_makes_nothing_equivalent() -> None:
    rows = trials("c1", "a", [1] * 6) + trials("c2", "b", [1.0, 1.01, 1.0, 1.02, 0.99, 1.0])
    for noise in (1.001, 1.1, 1.5, 3.0):
        control = trials("c1", "a", [noise, 1 / noise] * 3, control=True)
        word = contrasts(rows + control)["c2"]["verdict"]
        assert word == ("equivalent" if noise < 1.1 else "inconclusive"), noise


def test_a_repeated_baseline_is_a_rival_of_its_own() -> None:
    rows = trials("c1", "a", [1, 1, 1]) + trials("c1", "a", [1, 1.01, 1], control=True)
    rows += trials("c2", "a", [1.2, 1.21, 1.2], null=1) + trials("c3", "a", [1, 1.01, 0.99], null=2)
    for baseline in (None, "a"):
        found = contrasts(rows, baseline=baseline)
        assert {name: row["baseline"] for name, row in found.items()} == {"A/A c1": "c1", "c2": "c1", "c3": "c1"}
        assert found["c2"]["verdict"] == "better"
    assert dataset(rows).cells["label"].tolist() == ["a", "a (null 1)", "a (null 2)"]


def test_what_the_control_finds_is_not_excused_by_the_control() -> None:
    rows = trials("c1", "a", [1] * 6) + trials("c1", "a", [1.1, 1.11, 1.1, 1.1, 1.09, 1.1], control=True)
    assert contrasts(rows)["A/A c1"]["verdict"] == "better"


def test_the_noise_floor_of_six_blocks_is_half_of_the_interval_wherever_it_lies() -> None:
    # The signed-rank interval of six is their whole range: e^0.02 to e^0.18, around e^0.1.
    rows = trials("c1", "a", [1] * 6) + trials("c2", "b", [2] * 6)
    found = contrasts(rows + trials("c1", "a", [math.exp(x / 100) for x in (2, 6, 10, 10, 14, 18)], control=True))
    assert found["A/A c1"]["ratio"] == pytest.approx(math.exp(0.1))
    assert found["c2"]["noise_floor"] == pytest.approx(math.exp(0.08) - 1, rel=1e-5)


def test_a_quiet_control_leaves_the_margin_at_three_percent() -> None:
    rows = trials("c1", "a", [1, 1, 1]) + trials("c2", "b", [2, 2, 2]) + trials("c1", "a", [1, 1.001, 1], control=True)
    row = contrasts(rows)["c2"]
    assert row["margin"] == 0.03 and 0 < row["noise_floor"] < 0.03


def test_the_control_of_each_metric_is_compared_with_that_metric() -> None:
    figures: list[tuple[float, float]] = [(40_000, 20), (41_000, 21), (39_000, 22)]
    rows = [
        row | {"cpu_us_per_request": us}
        for control in (False, True)
        for row, (_, us) in zip(trials("c1", "a", [each for each, _ in figures], control=control), figures, strict=True)
    ]
    for metric in ("efficiency", "cpu"):
        assert contrasts(rows, metric)["A/A c1"]["ratio"] == pytest.approx(1)


def test_a_control_of_two_blocks_sets_nothing() -> None:
    rows = trials("c1", "a", [1, 1, 1]) + trials("c2", "b", [2, 2, 2])
    rows += trials("c1", "a", [1, 1.5, None], control=True)
    found = contrasts(rows)
    assert found["c2"]["margin"] == 0.03 and math.isnan(found["c2"]["noise_floor"])
    assert found["A/A c1"]["n"] == 2
    assert len(found) == 2


def test_a_baseline_can_be_asked_for() -> None:
    rows = trials("c1", "a", [1, 1, 1]) + trials("c1", "a", [1, 1.1, 1], control=True)
    rows += trials("c2", "b", [2, 2, 2]) + trials("c3", "c", [4, 4, 4])
    found = contrasts(rows, baseline="b")
    assert {name: row["baseline"] for name, row in found.items()} == {"A/A c1": "c1", "c1": "c2", "c3": "c2"}
    assert found["c3"]["ratio"] == pytest.approx(2)
    # How far two measurements of one thing differ is known all the same.
    assert found["c3"]["noise_floor"] == found["A/A c1"]["noise_floor"] > 0


def test_a_baseline_that_no_run_has_is_refused() -> None:
    with pytest.raises(Unreadable, match="no run has the strategy x to compare with; there is a, b"):
        contrasts(trials("c1", "a", [1]) + trials("c2", "b", [1]), baseline="x")


TWO = [2.0, 2.0]


@pytest.mark.parametrize(
    ("rows", "baselines"),
    [
        (trials("c1", "a", TWO) + trials("c2", "b", TWO) + trials("c2", "b", TWO, control=True),
         {"c1": "c2", "A/A c2": "c2"}),
        # Trials of a block are in random order: the first cell is the first of the plan, and c2 comes before c10.
        (trials("c10", "a", TWO) + trials("c2", "b", TWO), {"c10": "c2"}),
        (trials("c1", "a", TWO, workers=1) + trials("c2", "b", TWO, workers=4), {"c2": "c1"}),
        (trials("c1", "a", TWO, workers=2) + trials("c2", "a", TWO, workers=4) + trials("c3", "b", TWO, workers=4)
         + trials("c4", "b", TWO, workers=2), {"c3": "c2", "c4": "c1"}),
        (trials("c1", "own server", TWO, server_command="./one")
         + trials("c2", "own server", TWO, server_command="./two"), {"c2": "c1"}),
    ],
    ids=["that with the control", "the first of the plan", "whatever workers", "with as many workers", "own servers"],
)  # fmt: skip
def test_the_baseline_of_each_cell(rows: list[Row], baselines: dict[str, str]) -> None:
    assert {name: row["baseline"] for name, row in contrasts(rows).items()} == baselines


def test_like_is_compared_with_like() -> None:
    rows = trials("c1", "a", [1, 1], connections=100) + trials("c2", "a", [10, 10], connections=1000)
    rows += trials("c3", "b", [2, 2], connections=100) + trials("c4", "b", [40, 40], connections=1000)
    rows += trials("c5", "b", [5, 5], connections=5000)  # nothing to compare it with
    found = contrasts(rows)
    assert {name: (row["baseline"], round(row["ratio"], 9)) for name, row in found.items()} == {
        "c3": ("c1", 2), "c4": ("c2", 4)}  # fmt: skip


def test_only_blocks_in_which_both_are_good() -> None:
    rows = trials("c1", "a", [1, None, 1, 1]) + trials("c2", "b", [2, 2, None, 2.2])
    row = contrasts(rows)["c2"]
    assert (row["n"], row["ratio"]) == (2, pytest.approx(math.sqrt(2 * 2.2)))


def finding(cells: list[str], numbers: list[int], severity: str = "invalid") -> Row:
    return {"run": "r", "check": "X1", "severity": severity, "cells": json.dumps(cells), "trials": json.dumps(numbers),
            "hosts": "[]", "evidence": "[]"}  # fmt: skip


def test_a_trial_that_a_finding_names_leaves_its_block() -> None:
    rows = trials("c1", "a", [1, 1, 1]) + trials("c2", "b", [2, 2, 9])
    assert contrasts(rows, findings=[finding([], [6])])["c2"]["ratio"] == pytest.approx(2)
    assert contrasts(rows, findings=[finding([], [6], "warn")])["c2"]["n"] == 3


GOOD = [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("ours", "findings", "why"),
    [
        (trials("c2", "b", [2, 2, 2]), [finding(["c2"], [])], "a finding makes it invalid"),
        (trials("c2", "b", [2, 2, 2]), [finding(["c1"], [])], "its baseline: a finding makes it invalid"),
        (trials("c2", "b", GOOD, outcome="dnf", limit="FD_SETSIZE"), [], "it met a limit (FD_SETSIZE)"),
        (trials("c2", "b", GOOD, outcome="dnf"), [], "it met a limit"),
        (trials("c2", "b", GOOD, outcome="crashed"), [], "no trial is good: crashed"),
        (trials("c2", "b", [None, None, None]), [], "no trial is good: not run"),
        (trials("c2", "b", GOOD, column="requests_per_s"), [], "requests per server-CPU-second is not known of it"),
        (trials("c2", "b", [None, None, None, 1]), [], "no block has both"),
        (trials("c2", "b", [None, None, 2]), [], "one block says nothing of how much blocks differ"),
        (trials("c2", "b", [2, 0, 2]), [], "a figure of 0 has no ratio"),
    ],
)
def test_why_there_is_no_comparing(ours: list[Row], findings: list[Row], why: str) -> None:
    rows = trials("c1", "a", GOOD) + ours + trials("c3", "c", [3, 3, 3])
    found = contrasts(rows, findings=findings)
    row = found["c2"]
    assert (row["verdict"], row["why"], row["margin"]) == ("not comparable", why, 0.03)
    assert all(math.isnan(row[name]) for name in ("ratio", "low", "high", "family_low", "family_high", "p", "p_holm"))
    if not why.startswith("its baseline"):
        # It takes no part in the family either: what is left is judged by itself.
        assert (found["c3"]["verdict"], found["c3"]["family_confidence"]) == ("better", 0.95)


def test_a_percentile_among_the_unanswered_has_no_ratio() -> None:
    column = "response_p99_ns"
    rows = trials("c1", "a", [1e6, 1e6], column=column) + trials("c2", "b", [2e6, math.inf], column=column)
    row = contrasts(rows, "p99")["c2"]
    assert (row["verdict"], row["why"]) == (
        "not comparable", "the percentile lies among the requests that were never answered",
    )  # fmt: skip


def test_a_strategy_at_its_limit_holds_fewer() -> None:
    rows = trials("c1", "a", [10_000] * 3, column="held_connections")
    rows += trials("c2", "b", [1018] * 3, column="held_connections", outcome="dnf", limit="FD_SETSIZE")
    rows += trials("c3", "c", [10_000] * 3, column="held_connections")
    found = contrasts(rows, "held")
    assert (found["c2"]["verdict"], found["c2"]["ratio"]) == ("worse", pytest.approx(0.1018))
    assert (found["c3"]["verdict"], found["c3"]["low"], found["c3"]["high"]) == ("equivalent", 1, 1)


def test_runs_are_families_of_their_own() -> None:
    rows = trials("c1", "a", [1, 1, 1]) + trials("c2", "b", [2, 2.1, 2.2])
    again = [row | {"run": "s"} for row in rows] + trials("c3", "c", [1, 1, 2], run="s")
    table = contrasts_table(dataset(rows + again), None)
    found = table[table["metric"] == "efficiency"].set_index(["run", "cell"])
    assert found.index.tolist() == [("r", "c2"), ("s", "c2"), ("s", "c3")]
    assert found["ratio"].iloc[0] == pytest.approx(found["ratio"].iloc[1])
    # In the second one the first of two is sure enough, so the other is judged as if it were alone.
    assert found["family_confidence"].tolist() == pytest.approx([0.95, 0.975, 0.95])


@pytest.mark.parametrize("rows", [[], trials("c1", "a", [1, 1, 1]), trials("c1", "a", [None, None])])
def test_nothing_to_compare_gives_an_empty_table(rows: list[Row]) -> None:
    table = contrasts_table(dataset(rows), None)
    assert table.empty and "verdict" in table


def test_ten_percent_is_found_in_ten_blocks_among_nine() -> None:
    """The whole way from trials to words: blocks differ by 8 %, repetitions by 3 %."""
    draw = np.random.default_rng(100)
    found = {"better": 0, "false": 0}
    for _ in range(10):
        blocks = draw.normal(0, 0.08, 10)
        rows: list[Row] = []
        for i in range(10):
            values = np.exp(blocks + draw.normal(0, 0.03, 10)) * (1.1 if i == 1 else 1)
            rows += trials(f"c{i}", f"s{i}", values.tolist())
        words = {name: row["verdict"] for name, row in contrasts(rows).items()}
        assert len(words) == 9
        found["better"] += words.pop("c1") == "better"
        found["false"] += bool({"better", "worse"} & set(words.values()))
    assert found["better"] == 10 and found["false"] <= 2


@pytest.mark.parametrize(
    ("factor", "levels", "baseline"),
    [
        ("hostile", ["reset:100", None, "mute:100"], "c2"),  # the default, wherever it stands
        ("generator", ["pool", "go"], "c2"),
        ("backlog", [16, 128], "c1"),  # none has the default: the first of the plan
        ("accept_batch", [1, 64], "c2"),
    ],
)
def test_of_one_strategy_the_levels_of_a_factor_are_compared(factor: str, levels: list[Any], baseline: str) -> None:
    rows = [row for n, level in enumerate(levels, 1) for row in trials(f"c{n}", "a", [n, n, n], **{factor: level})]
    found = contrasts(rows)
    assert set(found) == {f"c{n}" for n in range(1, len(levels) + 1)} - {baseline}
    assert {row["baseline"] for row in found.values()} == {baseline}


def test_loads_of_one_strategy_are_no_rivals_and_strategies_come_before_levels() -> None:
    assert contrasts(trials("c1", "a", [1, 1]) + trials("c2", "a", [1, 1], rate=20)) == {}
    rows = [
        row
        for n, (name, hostile) in enumerate([("a", None), ("a", "mute:9"), ("b", None), ("b", "mute:9")], 1)
        for row in trials(f"c{n}", name, [n, n], hostile=hostile)
    ]
    assert {cell: row["baseline"] for cell, row in contrasts(rows).items()} == {"c3": "c1", "c4": "c2"}
