"""Labels say what differs, and every axis has ticks."""

import pytest

from analysis.charts import axes


def test_what_all_share_is_said_once() -> None:
    told, common = axes.names(
        ["epoll, capacity, 1,000 connections, 50/s", "poll, capacity, 1,000 connections, 99/s"], 24
    )
    assert list(told.values()) == ["epoll, 50/s", "poll, 99/s"]
    assert common == "capacity, 1,000 connections"


def test_a_long_label_is_cut_in_its_middle_and_stays_its_own() -> None:
    labels = [f"poll, capacity number {n}, {rate}/s" for n in (1, 2) for rate in (2000, 64_000)]
    told, _ = axes.names(labels, 16)
    assert len(set(told.values())) == 4
    assert axes.middle("poll, capacity, 1,000 connections, 64,000/s", 24) == "poll, capaci…s, 64,000/s"
    assert len(axes.middle("x" * 99, 24)) == 24
    same, _ = axes.names(["a" * 20 + "1" + "b" * 20, "a" * 20 + "2" + "b" * 20], 12)
    assert len(set(same.values())) == 2


def test_one_label_is_itself() -> None:
    assert axes.names(["epoll, 50/s"], 24) == ({"epoll, 50/s": "epoll, 50/s"}, "")


@pytest.mark.parametrize(
    ("low", "high"),
    [(1e5, 1e9), (1.2e6, 9e6), (1.2e6, 1.9e6), (3.1e6, 3.4e6), (3.11e6, 3.12e6), (5e6, 5e6), (100, 6e10)],
)
def test_every_span_has_ticks(low: float, high: float) -> None:
    found = axes.ticks(low, high)
    assert 1 if low == high else 3 <= len(found) <= 20
    assert all(low <= one <= high for one in found)
