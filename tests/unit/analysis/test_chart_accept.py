"""Accept queue and shares of the workers, by hand."""

import math

import pytest

from analysis.charts import accept, fairness
from analysis.charts.registry import make
from analysis.statistics.fairness import jain
from tests.unit.analysis.chart_data import Row, dataset_of, trial


def queue(n: int, t: float, *lengths: int, limit: int = 4096) -> list[Row]:
    return [{"run": "r1", "trial": n, "t_s": t, "listener": i, "length": length, "limit": limit}
            for i, length in enumerate(lengths)]  # fmt: skip


def workers(n: int, *accepted: int) -> list[Row]:
    return [{"run": "r1", "trial": n, "worker": i, "accepted": count} for i, count in enumerate(accepted)]


def test_the_fullest_listener_of_all_samples_counts() -> None:
    dataset = dataset_of(
        trials=[trial(1, connect_p99_ns=2e6), trial(2, "poll", connect_p99_ns=9e6)],
        listen_queue=queue(1, -2, 3, 0) + queue(1, -1, 1, 7) + queue(2, -1, 1024, 0),
        kernel=[{"run": "r1", "trial": 2, "counter": "TcpExt.ListenOverflows", "t_s": t, "value": v} for t, v in
                ((-1, 5), (0, 12))])  # fmt: skip
    frame = accept.data(dataset)
    assert frame[["label", "peak_connections", "overflows"]].to_numpy().tolist() == [
        ["poll", 1024, 12],
        ["epoll", 7, 0],
    ]
    assert accept.caption(frame) == (
        "The fullest accept queue held 1,024 of 4,096 connections (25 %), with poll. "
        "Connections were dropped because it was full: poll (up to 12). "
        "p99 of connecting: 2.00 ms (epoll) to 9.00 ms (poll)."
    )
    accept.draw(frame).to_dict()


def test_a_queue_with_room_for_all_connections_dropped_none() -> None:
    counted = [{"run": "r1", "trial": 1, "counter": "TcpExt.ListenOverflows", "t_s": 0, "value": 3852}]
    for connections, said in ((4096, "None overflowed."), (4097, "it was full: epoll (up to 3,852).")):
        dataset = dataset_of(trials=[trial(1, connections=connections)], listen_queue=queue(1, 0, 769), kernel=counted)
        figure = make(accept, dataset)
        assert figure is not None and said in figure.caption


def test_an_empty_queue_is_said_and_drawn() -> None:
    figure = make(accept, dataset_of(trials=[trial(1)], listen_queue=queue(1, 0, 0)))
    assert figure is not None
    assert figure.caption == "No sample found a connection waiting for accept(). None overflowed."


def test_where_some_waited_the_chart_leaves_the_others_to_the_table() -> None:
    dataset = dataset_of(trials=[trial(1), trial(2, "poll")], listen_queue=queue(1, 0, 0) + queue(2, 0, 5))
    frame = accept.data(dataset)
    assert set(frame["label"]) == {"epoll", "poll"}
    assert "epoll" not in str(accept.draw(frame).to_dict())


def test_nothing_to_show() -> None:
    assert make(accept, dataset_of(trials=[trial(1)])) is None
    assert make(fairness, dataset_of(trials=[trial(1)], workers=workers(1, 10_000))) is None


def test_jains_index_by_hand() -> None:
    assert jain([5, 5, 5]) == 1
    assert jain([1, 0]) == 0.5
    assert jain([3, 1]) == pytest.approx(0.8)  # 16 / (2 · 10)
    assert math.isnan(jain([0, 0]))


def test_shares_against_the_fair_share_the_unfairest_first() -> None:
    dataset = dataset_of(trials=[trial(1, "even"), trial(2, "uneven")], workers=workers(1, 50, 50) + workers(2, 75, 25))
    frame = fairness.data(dataset)
    assert frame[["label", "times_fair_share"]].to_numpy().tolist() == [
        ["uneven", 1.5], ["uneven", 0.5], ["even", 1.0], ["even", 1.0]]  # fmt: skip
    assert fairness.caption(frame) == (
        "Jain's index of fairness is 1.000 for even and 0.800 for uneven (1: all workers accept the same). "
        "The busiest worker, of uneven, took 1.50 times its fair share."
    )
    fairness.draw(frame).to_dict()


def test_of_many_workers_the_extremes_stay() -> None:
    frame = fairness.data(dataset_of(trials=[trial(1)], workers=workers(1, *range(1, 1001))))
    assert len(frame) == fairness.WORKERS_SHOWN
    assert frame["accepted_connections"].agg(["min", "max"]).tolist() == [1, 1000]
    assert set(frame["workers"]) == {1000}
