"""What idle connections cost: which cells make a series, what law it is of, and its words."""

from typing import Any

import pytest

from analysis.answers import growth
from analysis.answers.full import BOUND
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


def test_growth_in_words() -> None:
    """poll looks at every connection, so that a request costs 10 µs and 9 µs for each 1,000."""
    steep = series("poll", 1, (10.9, 19, 100), (10.9, 19, 100), (10.9, 19, 100))
    frame = idle.data(dataset(steep, series("epoll", 10, (30, 30, 30), (29, 30, 31), (31, 30, 29))))
    poll = frame[frame["label"] == "poll"]
    assert poll["connections"].tolist() == list(SIZES)
    assert poll["slope_us"].tolist() == pytest.approx([9, 9, 9])
    assert idle.caption(frame) == (
        "From 100 to 10,000 connections with 100 active, a request's server CPU time grows: epoll 1.0 × (no growth to "
        "be told, flat within 1 %), poll 9.2 × (+9.00 [9.00, 9.00] µs per 1,000 connections, a straight line within "
        "1 %). Nothing follows for more than 10,000."
    )
    idle.draw(frame).to_dict()


def test_no_law_where_none_fits() -> None:
    """80, 276, 488 µs were called N^0.39 [0.35, 0.43]; in other runs of the same it was 0.45."""
    frame = idle.data(dataset(series("poll", 1, (80, 276, 488), (82, 270, 490))))
    assert frame["model"].unique().tolist() == ["neither"]
    caption = idle.caption(frame)
    assert "no straight line" in caption and "µs from 100, " in caption
    assert "N^" not in caption


def test_a_full_cpu_tells_no_law() -> None:
    """The defect: 80, 276, 488 µs at 2,000 requests/s, of which 500 µs fill a CPU, were called no straight line."""
    full = struck("poll10000", "The server used 0.997 of 1.00 CPUs.", "SV7") | {"severity": "info", "trials": "[3, 6]"}
    frame = idle.data(dataset(series("poll", 1, (80, 276, 488), (82, 270, 490)), findings=(full,)))
    assert frame["model"].unique().tolist() == [growth.BOUNDED]
    assert frame["why"].tolist() == ["", "", BOUND]
    caption = idle.caption(frame)
    assert "poll at least 6.0 × (at 10,000 its CPUs were full, so how it grows cannot be told (SV7)" in caption
    assert "straight line" not in caption
    both = full | {"trials": "[1, 3, 4, 6]"}
    frame = idle.data(dataset(series("poll", 1, (80, 276, 488), (82, 270, 490)), findings=(both,)))
    assert "poll 6.0 × (at 100, 10,000 its CPUs were full" in idle.caption(frame)
    idle.draw(frame).to_dict()


def test_a_struck_size_is_no_part_of_it() -> None:
    assert make(idle, dataset(series("epoll", 1, (30, 30, 30)), findings=(struck("epoll100", "Saturated."),))) is None


def test_series_that_differ_in_more_than_the_connections_are_told_apart() -> None:
    """The defect: both payloads of one strategy were one line, whose growth was that of neither."""
    small, large = series("poll", 1, (10.9, 19, 100), (10.9, 19, 100)), series("large", 7, (30, 30, 30), (30, 30, 30))
    for row in large["trials"]:
        row |= {"strategy": "poll", "payload_bytes": 1024}
    for row in small["trials"]:
        row |= {"payload_bytes": 64}
    caption = idle.caption(idle.data(dataset(small, large)))
    assert "poll, 64 B 9.2 × " in caption and "poll, 1,024 B 1.0 × (no growth to be told, flat within 1 %)" in caption
    once = idle.caption(idle.data(dataset(series("poll", 1, (10.9, 19, 100)))))
    assert once.endswith("Nothing follows for more than 10,000. One repetition does not tell how sure that is.")


def test_what_no_verdict_may_rest_on_is_no_part_of_the_growth() -> None:
    tables = series("epoll", 1, (30, 30, 30), (30, 30, 30), (5, 5, 5))
    for row in tables["metrics"][6:]:
        row["quality"] = "barred"
    assert idle.data(dataset(tables))["cpu_us"].tolist() == [30, 30, 30]


def test_nothing_to_show() -> None:
    tables = series("epoll", 1, (30, 30, 30))
    for row in tables["trials"]:
        row["active"] = row["connections"]  # more load too: no series of idle connections
    assert make(idle, dataset(tables)) is None
