"""Cells from trials: which count, what became of them, their order and their labels."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.cells import command_names, natural, outcomes
from analysis.dataset import load
from analysis.model import Dataset
from tests.unit.analysis.build import MS, trial, whole, write


def loaded(folder: Path, trials: list[dict[str, Any]], events: list[dict[str, Any]]) -> Dataset:
    return load([str(write(folder, trials, events))])


def estimate(data: Dataset, metric: str) -> dict[Any, Any]:
    (row,) = data.estimates[data.estimates["metric"] == metric].to_dict("records")
    return row


def test_the_centre_of_the_repetitions(tmp_path: Path) -> None:
    # Costs of 40, 44 and 60 µs: their geometric mean.
    trials = [trial(n, block=n) for n in (1, 2, 3)]
    events = [e for t, cpu in zip(trials, (1.0, 1.5, 1.1), strict=True) for e in whole(t, cpu=cpu)]
    data = loaded(tmp_path, trials, events)
    assert estimate(data, "cpu")["value"] == pytest.approx((40 * 44 * 60) ** (1 / 3))
    (row,) = data.cells.to_dict("records")
    assert (row["trials"], row["counted"], row["planned_requests"]) == (3, 3, 3000)


def test_only_trials_that_are_good_count(tmp_path: Path) -> None:
    trials = [trial(n, block=n) for n in (1, 2)]
    events = [*whole(trials[0], outcome="invalid", held=3, surplus=1), *whole(trials[1])]
    data = loaded(tmp_path / "both", trials, events)
    (row,) = data.cells.to_dict("records")
    assert (row["good"], row["counted"], row["planned_requests"]) == (1, 1, 1000)
    assert row["outcomes"].startswith("1 invalid, suspect, 1 ")
    (alone,) = loaded(tmp_path / "one", trials[:1], events[: len(events) // 2]).cells.to_dict("records")
    assert (alone["good"], alone["counted"], alone["outcome"], alone["struck"]) == (0, 0, "invalid", True)


def test_errors_are_summed_over_the_repetitions(tmp_path: Path) -> None:
    trials = [trial(n, block=n) for n in (1, 2, 3)]
    events = [e for t in trials for e in whole(t)]
    late = next(e for e in events if e["event"] == "interval" and e["trial"] == 2 and e["k"] == 1)
    late |= {"planned": late["planned"] + 7, "timed_out": 7}
    (row,) = loaded(tmp_path, trials, events).cells.to_dict("records")
    assert (row["errors_requests"], row["timed_out_requests"], row["planned_requests"]) == (7, 7, 3007)


def test_a_control_in_its_twins_cell_is_no_repetition(tmp_path: Path) -> None:
    trials = [trial(1), trial(2, control=True)]
    data = loaded(tmp_path, trials, [*whole(trials[0]), *whole(trials[1], cpu=1.02)])
    assert data.cells["trials"].tolist() == [1]


def test_cells_come_in_the_order_of_the_plan_not_of_the_block(tmp_path: Path) -> None:
    trials = [trial(1, "poll", cell="c10"), trial(2, "epoll", cell="c2"), trial(3, "select", cell="c1")]
    assert loaded(tmp_path, trials, []).cells["strategy"].tolist() == ["select", "epoll", "poll"]
    assert sorted(["c10", "c2", "a", "10", "c"], key=natural) == ["10", "a", "c", "c2", "c10"]


@pytest.mark.parametrize(
    ("factors", "labels"),
    [
        # Workers go with the strategy, active with the connections: neither tells rows apart.
        ([{}, {"strategy": "workers", "workers": 2}], ["epoll", "workers"]),
        (
            [{"connections": 10, "active": 10}, {"connections": 20, "active": 20}],
            ["epoll, 10 connections", "epoll, 20 connections"],
        ),
        (
            [{"active": 10}, {"workers": 2}, {"strategy": "poll", "rate": 5}],
            ["epoll, 10 active, 1,000/s, 1 workers", "epoll, 1,000/s, 2 workers", "poll, 5/s, 1 workers"],
        ),
        # How long it lasts goes with the workload, unless it tells two of one workload apart.
        ([{}, {"workload": "churn", "requests": 50, "warmup": 0}], ["epoll", "epoll, churn"]),
        (
            [{}, {"workload": "churn", "requests": 50}, {"workload": "churn", "requests": 60}],
            ["epoll", "epoll, churn, requests 50", "epoll, churn, requests 60"],
        ),
    ],
)
def test_only_the_factors_that_vary_are_in_a_label(
    tmp_path: Path, factors: list[dict[str, Any]], labels: list[str]
) -> None:
    trials = [trial(n, **{"strategy": "epoll", "cell": f"c{n}", **own}) for n, own in enumerate(factors, 1)]
    assert loaded(tmp_path, trials, []).cells["label"].tolist() == labels


def members(*said: tuple[str, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(said, columns=["outcome", "validity", "limit"], dtype="string")


def test_outcomes() -> None:
    ok, dnf = ("ok", "valid", None), ("dnf", "valid", "FD_SETSIZE")
    assert outcomes(members(ok)) == "ok"
    assert outcomes(members(ok, ok, ("ok", "suspect", None))) == "2 ok, 1 suspect"
    assert outcomes(members(dnf)) == "dnf at FD_SETSIZE"
    assert outcomes(members(dnf, dnf)) == "2 dnf at FD_SETSIZE"
    assert outcomes(members(("dnf", "valid", None), ("not run", None, None))) == "1 dnf, 1 not run"
    assert outcomes(members(("partial", "suspect", None))) == "partial, suspect"


def test_a_mark_rests_on_the_repetition_with_the_fewest(tmp_path: Path) -> None:
    trials = [trial(n, block=n) for n in (1, 2)]
    data = loaded(tmp_path, trials, [*whole(trials[0], {MS: 2250}), *whole(trials[1], {MS: 5000})])
    assert estimate(data, "p99")["quality"] == "marked"


@pytest.mark.parametrize(
    ("commands", "names"),
    [
        (["old/server --port {port} -w 2", "new/server --port {port} -w 2"], ["old/server", "new/server"]),
        (["python /a/x.py {host} {port}", "python /a/x.py {host} {port} --fast 3"], ["x.py", "x.py --fast 3"]),
        (["/opt/v1/mine {host}:{port}", "/opt/v2/mine {host}:{port}"], ["v1/mine", "v2/mine"]),
        (["/opt/x {host} {port} -w 1", "/opt/x {host} {port} -w 2"], ["-w 1", "-w 2"]),
        (["./a {host} {port}", "./b {host} {port}", "./b {host} {port} -v"], ["a", "b", "b -v"]),
        (["./x --p {port}", "./x --q {port}"], ["./x --p {port}", "./x --q {port}"]),
    ],
)  # fmt: skip
def test_own_servers_are_named_by_what_differs(commands: list[str], names: list[str]) -> None:
    assert list(command_names(commands).values()) == names
