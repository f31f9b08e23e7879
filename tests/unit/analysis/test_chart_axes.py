"""Labels say what differs, and every axis has ticks."""

import json

import pytest

from analysis.cells import told_apart
from analysis.charts import axes


def test_what_all_share_is_said_once() -> None:
    told, common = told_apart(["epoll, capacity, 1,000 connections, 50/s", "poll, capacity, 1,000 connections, 99/s"])
    assert list(told.values()) == ["epoll, 50/s", "poll, 99/s"]
    assert common == "capacity, 1,000 connections"


def test_a_long_label_has_lines_and_of_many_its_ends() -> None:
    assert axes.lines("poll, capacity, 1,000 connections, 64,000/s", 24) == [
        "poll, capacity,", "1,000 connections,", "64,000/s"]  # fmt: skip
    names = {text: f"{text} " + "word " * 40 + text for text in ("one", "two")}
    told = json.loads(axes.renamed(names).removesuffix("[datum.value]"))
    assert [(len(told[text]), told[text][-1][0], told[text][-1][-3:]) for text in names] == [
        (axes.LABEL_LINES, "…", "one"), (axes.LABEL_LINES, "…", "two")]  # fmt: skip
    alike = {text: "word " * 40 + f"{text} " + "word " * 40 for text in ("one", "two")}
    told = json.loads(axes.renamed(alike).removesuffix("[datum.value]"))
    assert told["one"] != told["two"] and all(" ".join(told[text]).split() == alike[text].split() for text in alike)


def test_labels_that_only_what_they_share_tells_apart_stay_whole() -> None:
    assert told_apart(["epoll, 50/s"]) == ({"epoll, 50/s": "epoll, 50/s"}, "")
    labels = ["epoll, 50/s, 50/s", "epoll, 50/s"]
    assert told_apart(labels) == (dict(zip(labels, labels, strict=True)), "")


@pytest.mark.parametrize(
    ("low", "high"),
    [(1e5, 1e9), (1.2e6, 9e6), (1.2e6, 1.9e6), (3.1e6, 3.4e6), (3.11e6, 3.12e6), (5e6, 5e6), (100, 6e10)],
)
def test_every_span_has_ticks(low: float, high: float) -> None:
    found = axes.ticks(low, high)
    assert 1 if low == high else 3 <= len(found) <= 20
    assert all(low <= one <= high for one in found)
