"""Cells from trials: medians, controls, outcomes, and which factors are shown."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.events import read
from analysis.summary import cells, controls, outcome, varying
from analysis.tables import natural, plan_table
from analysis.trials import trial_table
from tests.unit.analysis.build import MS, trial, whole, write


def table(folder: Path, trials: list[dict[str, Any]], events: list[dict[str, Any]]) -> pd.DataFrame:
    return trial_table(read(str(write(folder, trials, events))))[0]


def planned_table(folder: Path, trials: list[dict[str, Any]]) -> pd.DataFrame:
    return plan_table(read(str(write(folder, trials, []))))


def test_the_median_of_the_repetitions_with_least_and_most(tmp_path: Path) -> None:
    # Costs of 40, 44 and 60 µs: the median is 44.
    trials = [trial(n, block=n) for n in (1, 2, 3)]
    events = [e for t, cpu in zip(trials, (1.0, 1.5, 1.1), strict=True) for e in whole(t, cpu=cpu)]
    (row,) = cells(table(tmp_path, trials, events)).to_dict("records")
    assert row["cpu_us_per_request"] == pytest.approx(44)
    assert (row["cpu_us_per_request_min"], row["cpu_us_per_request_max"]) == pytest.approx((40, 60))
    assert (row["trials"], row["outcome"], row["planned"]) == (3, "3 ok", 3000)


def test_figures_are_of_the_trials_that_are_ok_where_there_is_one(tmp_path: Path) -> None:
    trials = [trial(n, block=n) for n in (1, 2)]
    events = [*whole(trials[0], outcome="invalid", held=3, surplus=1), *whole(trials[1])]
    (row,) = cells(table(tmp_path, trials, events)).to_dict("records")
    assert (row["held"], row["used"], row["outcome"]) == (1000, 1, "1 invalid, 1 ok")
    (alone,) = cells(table(tmp_path, trials[:1], events)).to_dict("records")
    assert (alone["held"], alone["outcome"]) == (3, "invalid")


def test_errors_are_summed_over_the_repetitions(tmp_path: Path) -> None:
    trials = [trial(n, block=n) for n in (1, 2, 3)]
    events = [e for t in trials for e in whole(t)]
    late = next(e for e in events if e["event"] == "interval" and e["trial"] == 2 and e["k"] == 1)
    late |= {"planned": late["planned"] + 7, "timed_out": 7}
    (row,) = cells(table(tmp_path, trials, events)).to_dict("records")
    assert (row["errors"], row["timed_out"], row["planned"]) == (7, 7, 3007)


def test_controls_are_kept_apart_and_paired_within_their_block(tmp_path: Path) -> None:
    trials, events = [], []
    # Pairs of 40/40, 44/40 and 36/45 µs, and one of another strategy in between.
    for block, (control, measured) in enumerate([(1.0, 1.0), (1.1, 1.0), (0.9, 1.125)], start=1):
        trials += [
            trial(10 * block, block=block), trial(10 * block + 1, block=block, cell="c1-control", control=True),
            trial(10 * block + 2, "poll", block=block, cell="c2"),
        ]  # fmt: skip
        for planned, cpu in zip(trials[-3:], (measured, control, 9.0), strict=True):
            events += whole(planned, cpu=cpu)
    found = table(tmp_path, trials, events)
    (pair,) = controls(found).to_dict("records")
    assert (pair["strategy"], pair["pairs"]) == ("epoll", 3)
    assert (pair["ratio"], pair["ratio_min"], pair["ratio_max"]) == pytest.approx((1.0, 0.8, 1.1))
    rows = cells(found)
    assert rows["strategy"].tolist() == ["epoll", "poll"]
    assert rows["trials"].tolist() == [3, 3]


def test_a_control_in_its_twins_cell_is_no_repetition(tmp_path: Path) -> None:
    trials = [trial(1), trial(2, control=True)]
    found = table(tmp_path, trials, [*whole(trials[0]), *whole(trials[1], cpu=1.02)])
    assert cells(found)["trials"].tolist() == [1]
    assert controls(found)["ratio"].tolist() == pytest.approx([1.02])


def test_a_control_without_its_twin_has_no_ratio(tmp_path: Path) -> None:
    trials = [trial(1), trial(2, control=True)]
    (pair,) = controls(table(tmp_path, trials, whole(trials[1]))).to_dict("records")
    assert pair["pairs"] == 0
    assert math.isnan(pair["ratio"])


def test_cells_come_in_the_order_of_the_plan_not_of_the_block(tmp_path: Path) -> None:
    trials = [trial(1, "poll", cell="c10"), trial(2, "epoll", cell="c2"), trial(3, "select", cell="c1")]
    assert cells(table(tmp_path, trials, [])) ["strategy"].tolist() == ["select", "epoll", "poll"]  # fmt: skip
    assert sorted(["c10", "c2", "a", "10", "c"], key=natural) == ["10", "a", "c", "c2", "c10"]


def test_only_the_factors_that_vary_are_shown(tmp_path: Path) -> None:
    # Workers go with the strategy, active with the connections: neither tells rows apart.
    same = [trial(1), trial(2, "workers", workers=2)]
    assert varying(planned_table(tmp_path, same)) == []
    sizes = [trial(1, connections=10, active=10), trial(2, connections=20, active=20), trial(3, "poll")]
    assert varying(planned_table(tmp_path, sizes)) == ["connections"]
    idle = [trial(1, active=10), trial(2, active=1000, workers=2), trial(3, "poll", rate=5)]
    assert varying(planned_table(tmp_path, idle)) == ["workers", "active", "rate"]


def members(*said: tuple[str, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(said, columns=["outcome", "validity", "limit"], dtype=object)


def test_outcomes() -> None:
    ok, dnf = ("ok", "valid", None), ("dnf", "valid", "FD_SETSIZE")
    assert outcome(members(ok)) == "ok"
    assert outcome(members(ok, ok, ("ok", "suspect", None))) == "2 ok, 1 suspect"
    assert outcome(members(dnf)) == "dnf at FD_SETSIZE"
    assert outcome(members(dnf, dnf)) == "2 dnf at FD_SETSIZE"
    assert outcome(members(("dnf", "valid", None), ("not run", None, None))) == "1 dnf, 1 not run"
    assert outcome(members(("partial", "suspect", None))) == "partial, suspect"


def test_a_mark_rests_on_the_repetition_with_the_fewest(tmp_path: Path) -> None:
    trials = [trial(n, block=n) for n in (1, 2)]
    events = [*whole(trials[0], {MS: 2500}), *whole(trials[1], {MS: 5000})]
    (row,) = cells(table(tmp_path, trials, events)).to_dict("records")
    assert (row["p99_tail"], row["p99_9_tail"]) == (100, 10)
