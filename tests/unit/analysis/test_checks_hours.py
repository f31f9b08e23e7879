"""A window of hours: what grows, what only grew at first, and what does not."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from analysis.checks.findings import OBSERVERS
from tests.unit.analysis.check_data import CLIENTS, RUN, Rows, dataset, healthy, told

MB, HOURS = 1_000_000, 2


def long(
    memory: float = 0.0, descriptors: float = 0.0, p99: float = 0.0, lag: float = 0.0, seconds: int = HOURS * 3600
) -> Rows:
    """Trial 1 as one of hours, in each of which what measures grows by this much; at first all of it grows much."""
    rows, draw = healthy(), random.Random(1)
    for row in rows["trials"]:
        if row["trial"] == 1:
            row |= {"warmup": 5, "duration": seconds, "window_s": float(seconds)}
    key = {"run": RUN, "trial": 1}
    rows["seconds"] = [row for row in rows["seconds"] if row["trial"] != 1]
    rows["server_samples"] = [row for row in rows["server_samples"] if row["trial"] != 1]
    rows["own_samples"] = []
    for t in range(0, seconds, 10):
        early, hour = min(t, 900) * 1e5, t / 3600
        size = 50 * MB + early + draw.gauss(0, 0.2) * MB
        rows["server_samples"].append(
            key | {"t_s": float(t), "threads": 1, "rss_bytes": int(20 * MB + early), "fds": 30}
        )
        for host in ("server", "controller", *CLIENTS):
            mine = hour if host == "client2" else 0.0
            grown = {"rss_bytes": int(size + mine * memory * MB), "descriptors": 40 + int(mine * descriptors)}
            rows["own_samples"].append(key | {"host": host, "t_s": float(t), "processes": 1, "cpu_ns": 0} | grown)
        tail = 1e6 * (1 + p99 * hour) + draw.gauss(0, 1e4)
        counts = dict.fromkeys(("planned_requests", "sent_requests", "answered_requests"), 100)
        late = {"lag_sum_ns": 100 * (40e3 + lag * 1e3 * hour + draw.gauss(0, 1e3))}
        response = {"response_p50_ns": 1e5, "response_p99_ns": tail}
        rows["seconds"].append(key | {"k": t, "phase": "load"} | counts | late | response)
    return rows


def texts(check: str, rows: Rows) -> list[str]:
    return [one.text for one in OBSERVERS[check](dataset(rows))]


def test_what_does_not_grow_after_its_first_quarter_of_an_hour_is_told_and_no_more() -> None:
    rows = long()
    assert told("HR2", rows) == []
    (text,) = texts("HR1", rows)
    assert text.startswith(
        "epoll: from 15 min on each hour changed the server's memory by 0 [0, 0] MB; its descriptors by 0 [0, 0]; "
    )
    assert "the memory of the conductor by " in text and "the p99 of a second by " in text
    (seen,) = OBSERVERS["HR1"](dataset(rows))
    memory = seen.figures["slopes"]["the memory of what measures on client2"]
    assert memory["low"] < 0 < memory["high"] < 1 and memory["pieces"] == 24


@pytest.mark.parametrize(
    ("grows", "what"),
    [
        ({"memory": 2.0}, "the memory of what measures on client2 by +"),
        ({"descriptors": 3.0}, "the descriptors of what measures on client2 by +"),
        ({"p99": 0.2}, "the p99 of a second by +0.2"),
        ({"lag": 20.0}, "the mean lag of the generators by +"),
    ],
)
def test_what_grows_by_the_hour_is_named_and_nothing_else(grows: dict[str, Any], what: str) -> None:
    (text,) = texts("HR2", long(**grows))
    assert text.startswith(f"epoll: from 15 min on each hour raised {what}")


def test_a_growth_that_chance_or_the_allowance_explains_is_none() -> None:
    assert told("HR2", long(memory=0.9, descriptors=0.9, p99=0.04, lag=9)) == []


def test_a_window_of_minutes_has_no_slope() -> None:
    rows = long(memory=1000, seconds=1799)
    assert told("HR1", rows) == told("HR2", rows) == []
    assert told("HR1", healthy()) == []


def test_a_window_with_a_slope_of_the_server_alone() -> None:
    rows = long()
    rows["own_samples"] = []
    for row in rows["seconds"]:
        row["response_p99_ns"] = row["lag_sum_ns"] = math.nan
    (text,) = texts("HR1", rows)
    assert text.endswith("its descriptors by 0 [0, 0]")
