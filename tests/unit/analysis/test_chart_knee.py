"""How far it can be pushed: which rates make a ladder, what saturation looks like, what is said of the capacity."""

from analysis.answers import remarks
from analysis.answers.objective import objective
from analysis.charts import knee
from analysis.charts.registry import make
from analysis.model import Dataset
from tests.unit.analysis.chart_data import MS, Row, dataset_of, slots, struck, trial

RATES = (1000, 2000, 4000)
D9 = (100, 200, 400, 800)


def ladder(
    *responses_ms: float,
    strategy: str = "epoll",
    block: int = 1,
    first: int = 1,
    answered: int = 1000,
    rates: tuple[int, ...] = RATES,
) -> tuple[list[Row], list[Row]]:
    """Trials at RATES and their histograms: every request of the window took that long."""
    trials, histograms = [], []
    for i, (rate, ms) in enumerate(zip(rates, responses_ms, strict=True)):
        n = first + i
        share = answered if i == len(rates) - 1 else 1000
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
    assert knee.caption(frame) == (
        "Capacity within p99 ≤ 10 ms: epoll 2,830/s. One repetition does not tell how sure that is."
    )


def test_series_that_differ_in_more_than_the_rate_are_told_apart() -> None:
    """The defect: the second of one strategy was left out, and the first's capacity stood for both; own servers were
    one ladder."""
    small, large = ladder(1, 5, 20), ladder(20, 30, 50, first=4)
    for row in large[0]:
        row |= {"payload_bytes": 1024, "cell": f"{row['cell']}-large"}
    for row in small[0]:
        row |= {"payload_bytes": 64}
    caption = knee.caption(knee.data(dataset(small, large)))
    assert caption.startswith(
        "Capacity within p99 ≤ 10 ms: epoll, 64 B 2,830/s; epoll, 1,024 B misses it in some block at 1,000/s already."
    )
    for row in [*small[0], *large[0]]:
        row |= {"payload_bytes": 64, "strategy": "own server",
                "server_command": "./new" if row["cell"].endswith("large") else "./old"}  # fmt: skip
    frame = knee.data(dataset(small, large))
    assert frame.groupby("label").size().to_dict() == {
        "own server new": 3, "own server old": 3
    }  # fmt: skip


def test_blocks_that_agree_know_the_capacity_no_better_than_the_rates_that_were_tried() -> None:
    frame = knee.data(dataset(*(ladder(1, 5, 20, block=block, first=3 * block) for block in (1, 2, 3))))
    assert knee.caption(frame) == "Capacity within p99 ≤ 10 ms: epoll 2,800/s [2,000, 4,000]."


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
        "Capacity within p99 ≤ 10 ms: epoll at least 4,000/s (in some block no rate that was tried misses it); "
        "poll misses it in some block at 1,000/s already. One repetition does not tell how sure that is."
    )


def test_nothing_to_show() -> None:
    trials, histograms = ladder(1, 5, 20)
    assert make(knee, dataset((trials[:2], histograms))) is None  # two rates are no ladder
    closed = [row | {"workload": "closed"} for row in trials]
    assert make(knee, dataset((closed, histograms))) is None


def test_one_answer_everywhere_on_a_ladder_that_is_not_monotone() -> None:
    """100/s: 1 ms, 200/s: 20 ms, 400/s: 5 ms, 800/s: 30 ms: the report said 170/s, the terminal 400/s to 800/s."""
    data = dataset(ladder(1, 20, 5, 30, rates=D9))
    frame = knee.data(data)
    # From 1 ms to 20 ms while the rate doubles: 100 · 2^(log 10 / log 20) = 170.4.
    assert frame["capacity_per_s"].round().unique().tolist() == [170]
    assert knee.caption(frame) == (
        "Capacity within p99 ≤ 10 ms: epoll 170/s (met again at 400/s, beyond a miss: look at that block). "
        "One repetition does not tell how sure that is."
    )
    assert remarks.of_capacity(data) == [
        "epoll: refine it with the same command and -e workload=open -e rate=125,150,175"
    ]


def test_a_trial_that_does_not_count_is_no_rung() -> None:
    trials, histograms = ladder(1, 20, 5, 30, rates=D9)
    spoilt = struck("epoll-200", "Saturated.") | {"trials": "[2]"}
    data = dataset_of(runs=[{"run": "r1", "slo": "p99=10ms"}], trials=trials, histograms=histograms, findings=[spoilt])
    # Without 200/s the first miss is at 800/s: 400 · 2^(log 2 / log 6).
    assert knee.data(data)["capacity_per_s"].round().unique().tolist() == [523]
    trials[1]["outcome"] = "invalid"
    assert knee.data(dataset((trials, histograms)))["capacity_per_s"].round().unique().tolist() == [523]


def test_every_block_searches_anew() -> None:
    """Of a search the rates of two blocks are others, and one block has two rungs only."""
    trials, histograms = ladder(1, 5, 20)
    more, others = ladder(5, 40, block=2, first=4, rates=(2000, 4100))
    searched = [row | {"workload": "capacity"} for row in (*trials, *more)]
    frame = knee.data(dataset((searched, histograms + others)))
    assert frame["rate"].tolist() == [1000, 2000, 4000, 4100]
    assert (frame["below_per_s"].iloc[0], frame["above_per_s"].iloc[0]) == (2000, 4000)


def test_every_digit_of_an_objective() -> None:
    assert str(objective("p99.999999=10ms")) == "p99.999999 ≤ 10 ms"
