"""The forest: which ratios, which blocks, which word."""

from typing import Any

import pytest

from analysis.charts import effects, effects_p99
from analysis.charts.registry import make
from tests.unit.analysis.chart_data import contrast, dataset_of, struck, trial


def blocks(
    strategy: str, first: int, *values: float, metric: str = "efficiency", control: bool = False
) -> dict[str, Any]:
    """A trial a block, with its figure."""
    numbers = range(first, first + len(values))
    return {
        "trials": [trial(n, strategy, block=n - first + 1, control=control) for n in numbers],
        "metrics": [{"run": "r1", "trial": n, "metric": metric, "value": value, "quality": "solid"}
                    for n, value in zip(numbers, values, strict=True)],
    }  # fmt: skip


def joined(*parts: dict[str, Any]) -> dict[str, Any]:
    return {name: [row for part in parts for row in part[name]] for name in parts[0]}


TABLES = joined(
    blocks("epoll", 1, 100, 110, 120), blocks("poll", 4, 50, 55, 30), blocks("uvloop", 7, 110, 121, 132),
    blocks("epoll", 10, 300, 300, 300, control=True))  # fmt: skip
CONTRASTS = [
    contrast("epoll", 1.0, 0.99, 1.01, "equivalent"), contrast("poll", 0.4, 0.3, 0.6, "worse"),
    contrast("uvloop", 1.1, 1.08, 1.12, "inconclusive", family_low=0.9, family_high=1.3,
             noise_floor=0.044)]  # fmt: skip


def test_the_best_first_with_every_block_and_without_the_control() -> None:
    frame = effects.data(dataset_of(**TABLES, contrasts=CONTRASTS), "efficiency")
    assert frame["label"].tolist() == ["uvloop", "poll"]
    assert frame["_blocks"].tolist() == [pytest.approx([1.1, 1.1, 1.1]), pytest.approx([0.5, 0.5, 0.25])]
    assert frame["verdict"].tolist() == ["inconclusive", "worse"]


def test_what_it_says() -> None:
    figure = make(effects, dataset_of(**TABLES, contrasts=CONTRASTS))
    assert figure is not None
    assert figure.caption == (
        "Against epoll, in requests per server-CPU-second: 1 worse, 1 inconclusive. "
        "Two measurements of one thing differ by up to 4.4 % here. With 3 blocks and 2 comparisons at once few "
        "differences can be decided: repeat it with -e repetitions=10, or compare fewer."
    )
    assert "_blocks" not in figure.frame


def test_one_baseline_is_named_on_the_axis_and_intervals_are_cut_at_the_edge() -> None:
    wide = contrast("poll", 0.4, 0.0, float("inf"), "inconclusive")
    drawn = effects.draw(effects.data(dataset_of(**TABLES, contrasts=[wide]), "efficiency")).to_dict()
    row = next(rows[0] for rows in drawn["datasets"].values() if "ratio" in rows[0])
    assert (row["low"], row["high"]) == (1 / effects.WIDEST, effects.WIDEST)
    assert "['requests per server-CPU-second,', '× epoll']" in str(drawn)


def test_of_the_tail_the_lowest_is_best() -> None:
    tables = joined(
        blocks("epoll", 1, 2e6, 2e6, metric="p99"), blocks("poll", 4, 4e6, 6e6, metric="p99"),
        blocks("uvloop", 7, 1e6, 1e6, metric="p99"))  # fmt: skip
    rows = [
        contrast("poll", 2.4, 1, 5, "worse", metric="p99"),
        contrast("uvloop", 0.5, 0.4, 0.6, "better", metric="p99"),
    ]
    figure = make(effects_p99, dataset_of(**tables, contrasts=rows))
    assert figure is not None
    assert figure.frame["label"].tolist() == ["uvloop", "poll"]
    assert figure.caption.startswith("Against epoll, in p99 response: 1 better, 1 worse.")
    assert make(effects, dataset_of(**tables, contrasts=rows)) is None


def test_an_invalid_trial_is_no_block() -> None:
    finding = struck("poll", "Wrong.") | {"cells": "[]", "trials": "[6]"}
    frame = effects.data(dataset_of(**TABLES, contrasts=CONTRASTS, findings=[finding]), "efficiency")
    assert frame["_blocks"].tolist()[1] == pytest.approx([0.5, 0.5])


def test_nothing_to_show() -> None:
    assert make(effects, dataset_of(trials=TABLES["trials"])) is None
    incomparable = contrast("poll", float("nan"), 0, 0, "not comparable")
    assert make(effects, dataset_of(**TABLES, contrasts=[incomparable])) is None
