"""The sentences of the page: what is said of open loops must not be said of a churn or a closed one."""

import pytest

from analysis.answers import glance
from analysis.answers.shown import shown
from analysis.report.words import methods
from tests.unit.analysis.chart_data import dataset_of, estimate, trial


@pytest.mark.parametrize("workload", ["churn", "closed"])
def test_a_loop_that_waits_is_not_called_free_of_coordinated_omission(workload: str) -> None:
    told = " ".join(methods(dataset_of(runs=[{"run": "r1"}], trials=[trial(1, workload=workload)])))
    assert "no coordinated omission" not in told and "the percentiles hide it (coordinated omission)" in told
    told = " ".join(methods(dataset_of(runs=[{"run": "r1"}], trials=[trial(1)])))
    assert "(no coordinated omission)" in told and "hide it (coordinated omission)" not in told


def test_a_churn_held_nothing() -> None:
    data = dataset_of(trials=[trial(1, workload="churn"), trial(2, "poll", workload="churn")])
    assert glance.caption(glance.data(data)).startswith("2 of 2 ran to the end")
    data = dataset_of(trials=[trial(1, held_connections=10_000.0)])
    assert glance.caption(glance.data(data)).startswith("1 of 1 held every connection asked for")


def test_the_range_of_two_is_not_called_an_interval() -> None:
    data = dataset_of(trials=[trial(1)], estimates=[estimate("epoll", "cpu", 32, 30, 34, confidence=0.5, n=2)])
    (row,) = glance.data(data).to_dict("records")
    assert shown(row, "cpu").interval == "range of the repetitions"
