"""What idle connections cost: which cells make a series, its exponent and its words."""

from typing import Any

import pytest

from analysis.charts import idle
from analysis.charts.registry import make
from analysis.model import Dataset
from tests.unit.analysis.chart_data import Row, dataset_of, estimate, struck, trial

SIZES = (100, 1000, 10_000)


def series(strategy: str, first: int, *blocks: tuple[float, float, float]) -> dict[str, list[Row]]:
    """A trial per size and block, with the CPU time of a request."""
    tables: dict[str, list[Row]] = {"trials": [], "metrics": [], "estimates": []}
    for b, costs in enumerate(blocks, 1):
        for i, (size, us) in enumerate(zip(SIZES, costs, strict=True)):
            n = first + 3 * (b - 1) + i
            tables["trials"].append(
                trial(n, strategy, block=b, cell=f"c-{strategy}{size}", connections=size, active=100)
            )
            tables["metrics"].append({"run": "r1", "trial": n, "metric": "cpu", "value": us, "quality": "solid"})
    tables["estimates"] = [estimate(f"{strategy}{size}", "cpu", blocks[0][i]) for i, size in enumerate(SIZES)]
    return tables


def dataset(*parts: dict[str, list[Row]], findings: tuple[Row, ...] = ()) -> Dataset:
    tables: dict[str, Any] = {name: [row for part in parts for row in part[name]] for name in parts[0]}
    return dataset_of(findings=findings, **tables)


def test_growth_in_words_and_as_an_exponent() -> None:
    # Ten times the cost for a hundred times the connections, in every block: N^0.5.
    steep, flat = series("poll", 1, (10, 31.6227766, 100), (20, 63.2455532, 200)), series("epoll", 7, (30, 30, 30))
    frame = idle.data(dataset(steep, flat))
    poll = frame[frame["label"] == "poll"]
    assert poll["connections"].tolist() == list(SIZES)
    assert poll["cpu_us"].tolist() == pytest.approx([10, 31.6227766, 100])
    assert poll[["exponent", "exponent_low", "exponent_high"]].to_numpy()[0].tolist() == pytest.approx([0.5] * 3)
    assert idle.caption(frame) == (
        "From 100 to 10,000 connections with 100 active, a request's server CPU time grows: "
        "epoll 1.0 × (∝ N^0.00), poll 10 × (∝ N^0.50 [0.50, 0.50])."
    )
    idle.draw(frame).to_dict()


def test_a_struck_size_is_no_part_of_it() -> None:
    assert make(idle, dataset(series("epoll", 1, (30, 30, 30)), findings=(struck("epoll100", "Saturated."),))) is None


def test_nothing_to_show() -> None:
    tables = series("epoll", 1, (30, 30, 30))
    for row in tables["trials"]:
        row["active"] = row["connections"]  # more load too: no series of idle connections
    assert make(idle, dataset(tables)) is None
