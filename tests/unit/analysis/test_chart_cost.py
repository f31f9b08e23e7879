"""What a request and a connection cost, by hand."""

import math

from analysis.answers.full import BOUND
from analysis.charts import cost, memory
from analysis.charts.registry import make
from tests.unit.analysis.chart_data import Row, dataset_of, estimate, struck, trial

TRIALS = [trial(1, "poll"), trial(2, "epoll"), trial(3, "trio"), trial(4, "select", outcome="dnf", limit="FD_SETSIZE")]


def of(strategy: str, total: float, user: float, system: float) -> list[Row]:
    return [estimate(strategy, "cpu", total, total * 0.9, total * 1.1), estimate(strategy, "cpu_user", user),
            estimate(strategy, "cpu_system", system)]  # fmt: skip


COSTS = [*of("poll", 200, 40, 160), *of("epoll", 50, 20, 30), *of("trio", 1, 1, 0)]


def test_the_cheapest_first_and_nothing_that_is_struck() -> None:
    dataset = dataset_of(trials=TRIALS, estimates=COSTS, findings=[struck("trio", "Saturated.")])
    frame = cost.data(dataset)
    columns = ["label", "cpu_us", "user_us", "system_us"]
    assert frame[columns].to_numpy().tolist() == [["epoll", 50, 20, 30], ["poll", 200, 40, 160]]
    # The kernel's shares are 60 % and 80 %. Half the intervals are 5 and 20 µs.
    assert cost.caption(frame) == (
        "At 10,000 connections a request costs the server 50 µs [45, 55] of CPU time with epoll, 200 µs [180, 220] "
        "with poll; 60 to 80 % of it is the kernel's. Left out: select (FD_SETSIZE); trio (Saturated.)."
    )


def test_a_cost_that_the_rate_bounds_is_told_as_a_bound() -> None:
    """The defect: 99.3 µs [98.7, 100] of a full CPU at 10,000 requests/s; at 500 it was 1,730 µs."""
    full = struck("poll", "The server used 0.999 of 1.00 CPUs.", "SV7") | {"severity": "info", "trials": "[1]"}
    frame = cost.data(dataset_of(trials=TRIALS, estimates=COSTS, findings=[full]))
    assert dict(zip(frame["label"], frame["why"], strict=True)) == {"trio": "", "epoll": "", "poll": BOUND}
    assert f"; at least so much with poll, as {BOUND}." in cost.caption(frame)


def test_a_server_that_was_full_once_is_not_called_full() -> None:
    trials = [trial(n, "poll") for n in (1, 2, 3)]
    once = struck("poll", "The server used 0.924 of 1.00 CPUs.", "SV7") | {"severity": "info", "trials": "[2]"}
    assert BOUND not in set(cost.data(dataset_of(trials=trials, estimates=COSTS, findings=[once]))["why"])


def test_both_modes_are_drawn_for_each() -> None:
    drawn = cost.draw(cost.data(dataset_of(trials=TRIALS, estimates=COSTS))).to_dict()
    values = next(rows for rows in drawn["datasets"].values() if "mode" in rows[0])
    assert {(row["label"], row["mode"], row["us"]) for row in values} >= {
        ("epoll", "user", 20),
        ("poll", "system", 160),
    }


def test_one_strategy_without_interval() -> None:
    frame = cost.data(dataset_of(trials=[trial(1)], estimates=[estimate("epoll", "cpu", 41.27)]))
    assert cost.caption(frame) == "At 10,000 connections a request costs the server 41.3 µs of CPU time with epoll."


def test_memory_the_least_first_and_only_growth() -> None:
    dataset = dataset_of(
        trials=TRIALS,
        estimates=[*COSTS, estimate("poll", "memory", 299, 290, 310), estimate("epoll", "memory", 2048, 2000, 2100),
                   estimate("trio", "memory", -3.0)])  # fmt: skip
    frame = memory.data(dataset)
    assert frame[["label", "memory_bytes"]].to_numpy().tolist() == [["poll", 299], ["epoll", 2048]]
    assert memory.caption(frame) == (
        "A connection takes 299 B [290, 310] of the server's memory with poll, 2,050 B [2,000, 2,100] with epoll. "
        "No figure for trio."
    )
    memory.draw(frame).to_dict()


def test_nothing_to_show() -> None:
    assert make(cost, dataset_of(trials=TRIALS)) is make(memory, dataset_of(trials=TRIALS)) is None
    unknown = cost.data(dataset_of(trials=TRIALS, estimates=COSTS))["memory_bytes"]
    assert all(math.isnan(value) for value in unknown)
