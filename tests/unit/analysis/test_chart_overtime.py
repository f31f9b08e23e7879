"""Second by second, by hand: what arrived, what took how long, what the server used, what failed, what waited."""

import math
from typing import Any

import pytest

from analysis.charts import overtime, theme
from analysis.charts.registry import make
from analysis.model import Dataset, frame
from tests.unit.analysis.chart_data import Row, dataset_of, trial


def second(k: int, n: int = 1, **fields: Any) -> Row:
    return {"run": "r1", "trial": n, "k": k, "phase": "load" if k else "warmup", "planned_requests": 100,
            "answered_requests": 100, "arrived_requests": 90 + k, "response_p99_ns": 2e6} | fields  # fmt: skip


def sample(t: float, cpu_s: float, n: int = 1) -> Row:
    return {"run": "r1", "trial": n, "t_s": t, "processes": 1, "cpu_user_ns": 1e9 * cpu_s, "cpu_system_ns": 0}


def queue(t: float, length: int, listener: int = 0) -> Row:
    return {"run": "r1", "trial": 1, "t_s": t, "listener": listener, "length": length, "limit": 128}


def one_trial(**seconds: Any) -> Dataset:
    return dataset_of(
        trials=[trial(1, warmup=1, response_p99_ns=2e6)],
        seconds=[second(0), second(1, **seconds), second(2)],
        server_samples=[sample(-0.5, 0), sample(0, 5), sample(1, 5.5), sample(2, 5.75)],
        listen_queue=[queue(0, 0), queue(1, 7), queue(1, 3, 1), queue(2, 0)],
    )


def values(dataset: Dataset, kind: str) -> list[tuple[float, float]]:
    frame = overtime.data(dataset)
    own = frame[frame["kind"] == kind]
    return list(zip(own["t_s"], own["value"], strict=True))


def test_every_figure_of_a_second() -> None:
    dataset = one_trial(answered_requests=80)
    assert values(dataset, "replies_per_s") == [(0.5, 90), (1.5, 91), (2.5, 92)]
    assert values(dataset, "p99_ms") == [(0.5, 2), (1.5, 2), (2.5, 2)]
    assert values(dataset, "cpu_percent") == [(0.5, 50), (1.5, 25)]  # that before the start is of arming
    assert values(dataset, "errors_per_s") == [(0.5, 0), (1.5, 20), (2.5, 0)]
    assert values(dataset, "queue") == [(0, 0), (1, 7), (2, 0)]


def test_an_older_run_counts_by_intended_time() -> None:
    assert values(one_trial(arrived_requests=None), "replies_per_s") == [(0.5, 100), (1.5, 100), (2.5, 100)]


def test_a_percentile_among_the_missing_is_not_drawn() -> None:
    assert values(one_trial(response_p99_ns=math.inf), "p99_ms") == [(0.5, 2), (2.5, 2)]


def test_what_there_was_none_of_is_said_and_not_drawn() -> None:
    chart = make(overtime, dataset_of(trials=[trial(1, warmup=1)], seconds=[second(k) for k in range(3)]))
    assert chart is not None
    assert set(chart.frame["kind"]) == {"replies_per_s", "p99_ms"}
    assert "epoll: 91.0 to 92.0." in chart.caption  # the warm-up, 90, is no measurement
    assert "Every request had its reply in time." in chart.caption
    assert "waiting" not in chart.caption  # no sample looked
    assert "in time" not in overtime.caption(overtime.data(one_trial(answered_requests=80)))


def test_it_is_drawn_with_a_panel_for_each() -> None:
    chart = make(overtime, one_trial(answered_requests=80))
    assert chart is not None and chart.drawing is not None
    document = theme.document(chart.drawing)
    assert len(document["vconcat"]) == len(overtime.PANELS)
    text = theme.svg(theme.themed(document))
    assert all(title in text for title in overtime.PANELS.values())
    assert "seconds since the start" in text


def test_nothing_is_nothing() -> None:
    assert make(overtime, dataset_of(trials=[trial(1)])) is None


@pytest.mark.parametrize("missing", ["server_samples", "listen_queue"])
def test_what_was_not_recorded_has_no_panel(missing: str) -> None:
    tables = one_trial().tables | {missing: frame(missing, [])}
    dataset = Dataset.of((), **tables)
    assert "replies_per_s" in set(overtime.data(dataset)["kind"])
    assert "queue" not in set(overtime.data(dataset)["kind"])


def test_a_long_trial_is_drawn_in_pieces_that_keep_the_worst() -> None:
    seconds = [second(k, response_p99_ns=9e6 if k == 777 else 2e6, arrived_requests=99 + k % 2) for k in range(1000)]
    queues = [queue(k, 5 if k == 401 else 0) for k in range(1000)]
    dataset = dataset_of(trials=[trial(1, warmup=1)], seconds=seconds, listen_queue=queues,
                         server_samples=[sample(k, k / 4) for k in range(1000)])  # fmt: skip
    assert len(values(dataset, "p99_ms")) == 334  # of three seconds each
    assert [pair for pair in values(dataset, "p99_ms") if pair[1] > 2] == [(778.5, 9)]
    assert [pair for pair in values(dataset, "queue") if pair[1] > 0] == [(400.5, 5)]
    first, second_piece = values(dataset, "replies_per_s")[:2]
    assert first == pytest.approx((1.5, 99.33), abs=0.01) and second_piece == pytest.approx((4.5, 99.67), abs=0.01)
    chart = make(overtime, dataset)
    assert chart is not None
    assert "Replies in a second, the mean of 3, least to most after the warm-up: epoll: 99.3 to 100." in chart.caption
    assert "A point is 3 seconds: their worst p99 and queue, else their mean." in chart.caption
