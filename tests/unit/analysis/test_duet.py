"""A duet: who is compared with whom, by what, and what a figure of its baseline rests on."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.contrasts import contrasts_table
from analysis.dataset import load
from analysis.duet import ONLY_COSTS
from analysis.estimates import estimates_table, metrics_table
from analysis.model import Dataset
from tests.unit.analysis import build, duets
from tests.unit.analysis.chart_data import dataset_of
from tests.unit.analysis.simulated import DIFFERENT, duet, upper_bound
from tests.unit.planner.asking import plan

# What a block did to both is ten times as much as what they differ by.
SHARED = (1.0, 1.3, 0.8, 1.1, 0.9, 1.2, 0.7, 1.05)


def dataset(rows: Sequence[duets.Row]) -> Dataset:
    raw = dataset_of(runs=[{"run": "r1"}], trials=rows)
    return replace(raw, metrics=metrics_table(raw))


def contrasts(rows: Sequence[duets.Row], metric: str = "efficiency", baseline: str | None = None) -> dict[str, Any]:
    table = contrasts_table(dataset(rows), baseline)
    found = table[table["metric"] == metric].to_dict("records")
    return {("A/A" if row["cell"] == row["baseline"] else str(row["cell"])): row for row in found}


def test_each_is_compared_with_what_ran_beside_it() -> None:
    # The baseline beside c2 has twice the figure of that beside c1: another time, another neighbour.
    rows = duets.trials({
        "c1": [(1.1 * x, x) for x in SHARED], "c2": [(1.8 * x, 2 * x) for x in SHARED[::-1]],
        "c0": [(5.0 * x, 5 * x) for x in SHARED],
    })  # fmt: skip
    found = contrasts(rows)
    assert {name: row["baseline"] for name, row in found.items()} == {"A/A": "c0", "c1": "c0", "c2": "c0"}
    assert [found[name]["ratio"] for name in ("A/A", "c1", "c2")] == pytest.approx([1, 1.1, 0.9])
    assert [found[name]["high"] for name in ("A/A", "c1", "c2")] == pytest.approx([1, 1.1, 0.9])
    assert [found[name]["verdict"] for name in ("A/A", "c1", "c2")] == ["equivalent", "better", "worse"]
    assert {(row["n"], row["noise_floor"]) for row in found.values()} == {(8, 0.0)}
    assert {row["method"] for row in found.values()} == {"Hodges-Lehmann, signed-rank"}


def test_few_blocks_of_a_duet_are_not_pooled() -> None:
    draw = np.random.default_rng(1)
    figures = {
        f"c{n}": [(math.exp(draw.normal(0, 0.01)), math.exp(draw.normal(0, 0.01))) for _ in range(3)] for n in range(4)
    }
    found = contrasts(duets.trials(figures))
    assert {row["method"] for row in found.values()} == {"geometric mean, Student's t"}
    for name in ("c1", "c2", "c3"):
        logs = [math.log(ours / theirs) for ours, theirs in figures[name]]
        assert found[name]["ratio"] == pytest.approx(math.exp(np.mean(logs)))
        # Student's t of three blocks, beside two others: each by its own spread.
        half = 4.302653 * np.std(logs, ddof=1) / math.sqrt(3)
        assert found[name]["high"] / found[name]["ratio"] == pytest.approx(math.exp(half))
    assert contrasts(duets.trials({"c1": figures["c1"]}))["c1"]["ratio"] == found["c1"]["ratio"]


def test_a_block_in_which_one_of_the_two_failed_is_none_of_that_pair() -> None:
    figures: duets.Figures = {
        "c1": [(1.1, 1.0), (None, 9.0), (1.1, 1.0), (1.1, 1.0)], "c2": [(2.0, 1.0)] * 3 + [(7.0, None)],
        "c0": [(1.0, 1.0), (1.0, None), (1.0, 1.0), (1.0, 1.0)],
    }  # fmt: skip
    found = contrasts(duets.trials(figures))
    assert {name: (row["n"], round(row["ratio"], 9)) for name, row in found.items()} == {
        "A/A": (3, 1.0), "c1": (3, 1.1), "c2": (3, 2.0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "metric", "alone"),
    [("requests_per_s", "throughput", "better"), ("rss_bytes_per_connection", "memory", "worse")],
)
def test_only_costs_are_compared(column: str, metric: str, alone: str) -> None:
    rows = duets.trials({"c1": [(2.0, 1.0)] * 6, "c0": [(1.0, 1.0)] * 6}, column)
    found = contrasts(rows, metric)
    assert {(row["verdict"], row["why"]) for row in found.values()} == {("not comparable", ONLY_COSTS)}
    assert set(found) == {"A/A", "c1"} and all(math.isnan(row["ratio"]) for row in found.values())
    solo = [row | {"beside": None, "control": False} for row in rows]
    assert contrasts(solo, metric)["c1"]["verdict"] == alone


def test_what_did_not_run_beside_each_other_is_not_compared() -> None:
    rows = duets.trials({"c1": [(2.0, 1.0)] * 6, "c2": [(3.0, 1.0)] * 6})
    found = contrasts(rows, baseline="s1")
    assert found["c0"]["ratio"] == pytest.approx(0.5) and found["c0"]["baseline"] == "c1"
    assert found["c2"]["verdict"] == "not comparable"
    assert found["c2"]["why"] == "the two did not run side by side to their end"


def test_a_plan_whose_trials_stand_beside_nothing_known_compares_nothing() -> None:
    rows = duets.trials({"c1": [(2.0, 1.0)] * 6})
    for beside in (None, 99):
        odd = [row | {"beside": beside} if row["cell"] == "c0" else row for row in rows]
        assert contrasts(odd)["c1"]["verdict"] == "not comparable"


@pytest.mark.parametrize(
    "other", [{"outcome": "crashed"}, {"outcome": "dnf"}, {"go_ns": 7}, {"go_ns": None}, {"trial": 99}]
)
def test_who_ran_alone_tells_no_cost(other: duets.Row) -> None:
    rows = [row | {"go_ns": 5} for row in duets.trials({"c1": [(1.0, 2.0)] * 3})]
    rows[2] |= other  # the rival's trial of the second block
    table = dataset(rows).metrics.set_index(["trial", "metric"])["quality"]
    assert [table[n, "efficiency"] for n in (2, 4, 6)] == ["solid", "absent", "solid"]
    assert contrasts(rows)["c1"]["n"] == 2


def test_several_of_one_block_are_no_repetitions() -> None:
    both = [(1.0, 2.0), (1.0, 8.0), (1.0, 4.0)]
    rows = duets.trials({"c1": both, "c2": [(1.0, 4 * theirs) for _, theirs in both]})
    data = dataset(rows)
    table = estimates_table(data)
    found = table[table["metric"] == "efficiency"].set_index("cell")
    assert found["n"].to_dict() == {"c0": 3, "c1": 3, "c2": 3}
    # Blocks of 2 and 8, 8 and 32, 4 and 16: by their geometric means 4, 16, 8, as one of three repetitions.
    assert found.loc["c0", "value"] == pytest.approx(8)
    assert found.loc["c0", "high"] == pytest.approx(8 * 2 ** (4.302653 / math.sqrt(3)))


def test_a_plan_says_what_runs_beside_what(tmp_path: Path) -> None:
    plan = [build.trial(1, "epoll", cell="c1"), build.trial(2, "poll", cell="c2"), build.trial(3, "epoll", cell="c1")]
    plan = duets.planned(plan, {1: 2})
    data = load([str(build.write(tmp_path / "run", plan, [line for one in plan for line in build.whole(one)]))])
    assert data.trials["beside"].fillna(0).tolist() == [2, 1, 0]
    assert data.cells["duet"].tolist() == [True, True]
    alone = build.write(tmp_path / "solo", [build.trial(1)], build.whole(build.trial(1)))
    assert load([str(alone)]).cells["duet"].tolist() == [False]


def test_how_often_a_duet_errs_and_finds() -> None:
    """What a pair shares spreads by 10 %, each of the two by 1 %; three rivals and a control in eight blocks."""
    draw, runs = np.random.default_rng(1), 2000
    false = sum(any(row["verdict"] in DIFFERENT for row in duet(draw, 8, [0.0] * 3)[1:]) for _ in range(runs))
    assert upper_bound(false, runs) <= 0.05
    found = [duet(draw, 8, [0.05, 0.0, 0.0])[1]["verdict"] for _ in range(300)]
    assert found.count("better") >= 297


def test_which_of_the_two_ports_a_server_got_tells_no_cells_apart(tmp_path: Path) -> None:
    besides = [2, 1, 4, 3, None, [7], "x", 99]
    ports = [9001, 9000, 9000, 9001, 9001, 9001, 9001, 9001]
    entries = [
        build.trial(n, "ab"[n % 2], cell="ab"[n % 2], server_port=port) | {"beside": other}
        for n, (other, port) in enumerate(zip(besides, ports, strict=True), 1)
    ]
    trials = load([str(build.write(tmp_path / "run", entries, []))]).trials
    assert trials["server_port"].tolist() == [9000] * 4 + [9001] * 4
    assert trials["beside"].fillna(0).tolist() == [2, 1, 4, 3, 0, 0, 0, 99]


@pytest.mark.parametrize(
    "given",
    [
        {"strategy": "epoll,poll,selectors", "connections": "10,20", "null": 2},
        {"strategy": "prefork_reuseport,prefork_select,epoll", "workers": "2,4"},
        {"strategy": "epoll,prefork_herd", "workers": "2,4", "payload_bytes": [64, 128]},
        {"cells": [{"server_command": f"{name} {{host}} {{port}}"} for name in ("old", "new", "other")]},
    ],
)
def test_each_is_compared_with_what_the_planner_put_beside_it(given: dict[str, Any], tmp_path: Path) -> None:
    entries = plan(duet=True, repetitions=2, **given)["trials"]
    dataset = load([str(build.write(tmp_path / "run", entries, []))])
    cells = {trial["n"]: trial["cell"] for trial in entries}
    controlled = {trial["cell"] for trial in entries if trial["control"]}
    put = {trial["cell"]: cells[trial["beside"]] for trial in entries if trial["cell"] not in controlled}
    found = dataset.contrasts[~dataset.contrasts["control"]]
    assert dict(zip(found["cell"], found["baseline"], strict=True)) == put
    assert controlled | put.keys() == set(cells.values())
