"""How far it can be pushed: which rates make a ladder, what saturation looks like, what is said of the capacity."""

from analysis.charts import knee
from analysis.charts.registry import make
from analysis.model import Dataset
from tests.unit.analysis.chart_data import MS, Row, dataset_of, slots, trial

RATES = (1000, 2000, 4000)


def ladder(
    *responses_ms: float, strategy: str = "epoll", block: int = 1, first: int = 1, answered: int = 1000
) -> tuple[list[Row], list[Row]]:
    """Trials at RATES and their histograms: every request of the window took that long."""
    trials, histograms = [], []
    for i, (rate, ms) in enumerate(zip(RATES, responses_ms, strict=True)):
        n = first + i
        share = answered if i == len(RATES) - 1 else 1000
        trials.append(trial(n, strategy, block=block, cell=f"c-{strategy}-{rate}", rate=rate,
                            answered_requests=share))  # fmt: skip
        histograms += slots(n, {int(ms * MS): share})
    return trials, histograms


def dataset(*ladders: tuple[list[Row], list[Row]], slo: str | None = "p99=10ms") -> Dataset:
    return dataset_of(
        runs=[{"run": "r1", "slo": slo}], trials=[row for trials, _ in ladders for row in trials],
        histograms=[row for _, rows in ladders for row in rows])  # fmt: skip


def test_the_capacity_lies_where_the_line_crosses_the_objective() -> None:
    # From 5 ms at 2,000/s to 20 ms at 4,000/s: half way in logarithms, 2,000 · √2 = 2,828.
    frame = knee.data(dataset(ladder(1, 5, 20)))
    assert frame["rate"].tolist() == list(RATES)
    assert abs(frame["capacity_per_s"].iloc[0] / 2828.4 - 1) < 0.002  # HDR slots are 0.1 % wide
    assert knee.caption(frame) == "Capacity within p99 ≤ 10 ms: epoll 2,830/s."


def test_the_range_of_the_repetitions_and_their_median() -> None:
    frame = knee.data(dataset(ladder(1, 5, 20), ladder(1, 6, 30, block=2, first=4), ladder(1, 4, 25, block=3, first=7)))
    top = frame.iloc[2]
    assert [round(top[name] / MS) for name in ("low_ns", "response_ns", "high_ns")] == [20, 25, 30]
    assert "[" in knee.caption(frame)


def test_a_rate_that_is_not_answered_is_saturated() -> None:
    frame = knee.data(dataset(ladder(1, 5, 6, answered=979)))
    assert frame["saturated"].tolist() == [False, False, True]
    assert "epoll 2,000/s" in knee.caption(frame)
    knee.draw(frame).to_dict()


def test_what_never_misses_is_a_lower_bound_and_what_always_misses_has_none() -> None:
    frame = knee.data(dataset(ladder(1, 2, 3), ladder(20, 30, 40, strategy="poll", first=4)))
    assert knee.caption(frame) == (
        "Capacity within p99 ≤ 10 ms: epoll at least 4,000/s (the highest rate meets it in some block); "
        "poll misses it in some block at 1,000/s already."
    )


def test_nothing_to_show() -> None:
    trials, histograms = ladder(1, 5, 20)
    assert make(knee, dataset((trials[:2], histograms))) is None  # two rates are no ladder
    closed = [row | {"workload": "closed"} for row in trials]
    assert make(knee, dataset((closed, histograms))) is None
