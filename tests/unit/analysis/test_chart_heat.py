"""The heat map: which bins and seconds come together, worked out by hand."""

import pytest

from analysis.charts import heat, theme
from analysis.charts.registry import make
from tests.unit.analysis.chart_data import MS, Row, dataset_of, trial


def bin_of(n: int, k: int, low: float, high: float, count: int) -> Row:
    return {"run": "r1", "trial": n, "k": k, "low_ns": low, "high_ns": high, "count": count}


def test_fine_bins_come_together_and_count_as_shares_of_their_second() -> None:
    # Six steps a decade: 1.05 ms and 1.35 ms lie in the step from 1 ms to 1.47 ms, 12 ms in that from 10 ms to 14.7 ms.
    bins = ((1.0 * MS, 1.1 * MS, 30), (1.3 * MS, 1.4 * MS, 30), (11 * MS, 13 * MS, 40))
    dataset = dataset_of(trials=[trial(1)], heat=[bin_of(1, 0, *one) for one in bins])
    frame = heat.data(dataset)
    assert frame["share_percent"].tolist() == [60, 40]
    assert frame["low_ns"].tolist() == pytest.approx([1 * MS, 10 * MS])
    assert frame["high_ns"].tolist() == pytest.approx([1.47 * MS, 14.7 * MS])


def test_a_long_run_has_wider_columns() -> None:
    dataset = dataset_of(trials=[trial(1)], heat=[bin_of(1, k, 1 * MS, 1.1 * MS, 10) for k in range(60)])
    frame = heat.data(dataset)
    assert frame["t_s"].tolist() == list(range(0, 60, 2))
    assert set(frame["width_s"]) == {2}
    assert set(frame["share_percent"]) == {100}


def test_what_was_not_answered_is_told() -> None:
    second = {"run": "r1", "trial": 1, "phase": "load", "planned_requests": 200}
    dataset = dataset_of(
        trials=[trial(1)], heat=[bin_of(1, 0, 1 * MS, 1.1 * MS, 200), bin_of(1, 1, 1 * MS, 1.1 * MS, 150)],
        seconds=[second | {"k": 0, "answered_requests": 200}, second | {"k": 1, "answered_requests": 150}])  # fmt: skip
    frame = heat.data(dataset)
    missing = frame[frame["kind"] == "missing"]
    assert missing[["t_s", "share_percent"]].to_numpy().tolist() == [[1, 25]]
    assert "epoll leaves up to 25.0 % of a moment's requests unanswered." in heat.caption(frame)
    heat.draw(frame).to_dict()


def test_the_repetition_shown_is_the_median_at_p99() -> None:
    trials = [trial(n, response_p99_ns=p99) for n, p99 in ((1, 9 * MS), (2, 3 * MS), (3, 5 * MS), (4, float("nan")))]
    dataset = dataset_of(trials=trials, heat=[bin_of(n, 0, 1 * MS, 1.1 * MS, 1) for n in (1, 2, 3, 4)])
    assert set(heat.data(dataset)["trial"]) == {3}


def test_six_panels_from_the_fastest_to_the_slowest() -> None:
    trials = [trial(n, f"s{n}", response_p99_ns=n * MS) for n in range(1, 12)]
    dataset = dataset_of(trials=trials, heat=[bin_of(n, 0, n * MS, 1.1 * n * MS, 5) for n in range(1, 12)])
    frame = heat.data(dataset)
    assert list(dict.fromkeys(frame["label"])) == ["s1", "s3", "s5", "s7", "s9", "s11"]
    # 11 ms to 12.1 ms lies in the step from 10 ms to 14.7 ms.
    assert heat.caption(frame) == (
        "The slowest answers, 10.0 ms to 14.7 ms, came to s11 in the second from 0 s. "
        "Shown, fastest at p99 first: s1; s3; s5; s7; s9; s11."
    )


def test_nothing_to_show() -> None:
    assert make(heat, dataset_of(trials=[trial(1)])) is None


def test_panels_are_named_by_what_differs() -> None:
    trials = [trial(1, rate=300), trial(2, "poll", rate=300), trial(3, "poll", rate=900, cell="c-other")]
    rows = [{"run": "r1", "trial": n, "k": 0, "low_ns": 1e5, "high_ns": 2e5, "count": 5} for n in (1, 2, 3)]
    seconds = [{"run": "r1", "trial": n, "k": 0, "planned_requests": 5, "answered_requests": 5} for n in (1, 2)]
    chart = make(heat, dataset_of(trials=trials, heat=rows[:2], seconds=seconds))
    assert chart is not None and chart.drawing is not None
    text = theme.svg(theme.spec(chart.drawing))
    assert ">epoll<" in text and ">poll<" in text and ">300/s<" in text
