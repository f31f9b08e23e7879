"""The generator's honesty, by hand: 2 clients with 1,000 requests each."""

import math
from dataclasses import replace
from typing import Any

import pytest

from analysis.charts import honesty
from analysis.charts.registry import make
from analysis.model import Dataset, frame
from tests.unit.analysis.chart_data import MS, Row, dataset_of, slots, trial


def client(host: str, n: int = 1, **fields: Any) -> Row:
    return {"run": "r1", "trial": n, "host": host, "processes": 1, "wall_ns": 4e9, "cpu_user_ns": 0.5e9,
            "cpu_system_ns": 1.5e9, "sent_per_s": 500, "lag_p50_ns": 1e4, "lag_p99_ns": 0.5 * MS,
            "response_p99_ns": 1.0 * MS} | fields  # fmt: skip


def asked(host: str, planned: int = 1000) -> Row:
    return {"run": "r1", "trial": 1, "host": host, "k": 0, "phase": "load", "planned_requests": planned}


def two_clients(**fields: Any) -> Dataset:
    # client1: all within 1 ms; client2: 100 of 1,000 take 50 ms. Merged, 1,900 of 2,000 are fast: p99 is 50 ms.
    # Without client2 it is 1 ms; without client1 it stays 50 ms.
    return dataset_of(
        trials=[trial(1, planned_requests=2000)],
        generators=[client("client1"), client("client2", **fields)],
        intervals=[asked("client1"), asked("client2"), asked("client2") | {"phase": "warmup"}],
        histograms=slots(1, {1 * MS: 1000}) + slots(1, {1 * MS: 900, 50 * MS: 100}, "client2"),
    )


def test_leaving_one_client_out() -> None:
    table = honesty.data(two_clients()).set_index("host")
    assert table["merged_p99_ns"].tolist() == pytest.approx([50 * MS, 50 * MS], rel=1e-3)
    assert table.loc["client1", "without_p99_ns"] == pytest.approx(50 * MS, rel=1e-3)
    assert table.loc["client2", "without_p99_ns"] == pytest.approx(1 * MS, rel=1e-3)
    assert table["change_percent"].tolist() == pytest.approx([0, -98], abs=0.1)


def test_requests_that_a_client_never_had_answered_count_when_it_is_left_out() -> None:
    # client2 planned 1,000 and has 900: without client1 its p99 is among the missing.
    rows = slots(1, {1 * MS: 1000}) + slots(1, {1 * MS: 900}, "client2")
    dataset = replace(two_clients(), histograms=frame("histograms", rows))
    assert honesty.data(dataset).set_index("host")["without_p99_ns"]["client1"] == math.inf


def test_cpu_and_ceiling() -> None:
    ceiling = {"run": "r1", "trial": 99, "host": "client1", "ceiling_per_s": 10_000}
    rows = [client("client1"), client("client2", processes=2), ceiling]
    dataset = replace(two_clients(), generators=frame("generators", rows))
    table = honesty.data(dataset).set_index("host")
    assert table["cpu_percent"].tolist() == [50, 25]  # 2 s of 4 s; of 2 × 4 s
    assert table.loc["client1", "ceiling_percent"] == 5
    assert table["ceiling_percent"].isna()["client2"]
    # It sent more than that once: no ceiling, and never more than 100 % of one.
    refuted = replace(dataset, generators=frame("generators", [*rows[:2], ceiling | {"ceiling_per_s": 499}]))
    assert honesty.data(refuted)["ceiling_percent"].isna().all()
    assert "No ceiling is known." in honesty.caption(honesty.data(refuted))


def test_finding() -> None:
    table = honesty.data(two_clients(lag_p99_ns=0.7 * MS, response_p99_ns=50.0 * MS))
    assert honesty.caption(table) == (
        "The generators sent 600 µs late at p99 (median of 2 client reports; at worst 700 µs, client2 under epoll). "
        # 0.5 of 1 ms and 0.7 of 50 ms: 50 % and 1.4 %.
        "It is 26 % of the p99 response that the same client measured (median). "
        "The busiest client used 50 % of a CPU per process. No ceiling is known. "
        "Leaving one client out moves p99 by at most 98 % (client2 under epoll), 49 % in the median."
    )


def test_one_client_has_nobody_to_be_left_out_for() -> None:
    dataset = dataset_of(trials=[trial(1)], generators=[client("client1")], intervals=[asked("client1")],
                         histograms=slots(1, {1 * MS: 1000}))  # fmt: skip
    figure = make(honesty, dataset)
    assert figure is not None
    assert math.isnan(figure.frame["change_percent"].iloc[0])
    assert "Leaving" not in figure.caption
    assert figure.drawing is not None
    figure.drawing.to_dict()


def test_nothing_to_show() -> None:
    assert make(honesty, dataset_of(trials=[trial(1, outcome="dnf")], generators=[client("client1")])) is None
