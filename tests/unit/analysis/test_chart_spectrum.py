"""The latency spectrum, on requests counted by hand."""

import json
import math

import pandas as pd
import pytest

from analysis.answers import series
from analysis.charts import spectrum
from analysis.charts.registry import make
from tests.unit.analysis.chart_data import MS, dataset_of, slots, struck, trial

# 990 of 1,000 within 1 ms: p99 is 1 ms. With 989, it is the slow ones' 100 ms. HDR reports a slot's highest value.
FAST, SLOW = {1 * MS: 990, 100 * MS: 10}, {1 * MS: 989, 100 * MS: 11}
NEAR = 1e-3
SELECT = trial(3, "select", outcome="dnf", limit="FD_SETSIZE", held_connections=1018)


def at(frame: pd.DataFrame, percentile: float, label: str = "epoll") -> pd.Series:
    rows = frame[(frame["kind"] == "response") & (frame["label"] == label) & (frame["percentile"] == percentile)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_median_and_extremes_over_repetitions() -> None:
    dataset = dataset_of(trials=[trial(1), trial(2), trial(3)],
                         histograms=slots(1, FAST) + slots(2, SLOW) + slots(3, FAST))  # fmt: skip
    row = at(spectrum.data(dataset), 99.0)
    assert row["response_ns"] == pytest.approx(1 * MS, rel=NEAR)
    assert row["low_ns"] == pytest.approx(1 * MS, rel=NEAR)
    assert row["high_ns"] == pytest.approx(100 * MS, rel=NEAR)
    assert (row["tail_requests"], row["quality"], row["repetitions"]) == (10, "marked", 3)


def test_the_clients_of_a_trial_are_added() -> None:
    halves = slots(1, {1 * MS: 490, 100 * MS: 10}, "client1") + slots(1, {1 * MS: 500}, "client2")
    row = at(spectrum.data(dataset_of(trials=[trial(1)], histograms=halves)), 99.0)
    assert row["response_ns"] == pytest.approx(1 * MS, rel=NEAR)


def test_the_line_stops_where_under_ten_requests_lie_beyond_and_is_solid_from_a_hundred() -> None:
    frame = spectrum.data(dataset_of(trials=[trial(1)], histograms=slots(1, FAST)))
    lines = frame[frame["kind"] == "response"]
    assert lines["percentile"].max() == 99.0  # 1 % of 1,000 is 10
    assert set(lines.loc[lines["percentile"] <= 90.0, "quality"]) == {"solid"}
    assert set(lines.loc[lines["percentile"] > 90.0, "quality"]) == {"marked"}


def test_the_smallest_repetition_says_how_far_the_line_goes() -> None:
    dataset = dataset_of(trials=[trial(1), trial(2, planned_requests=100_000)],
                         histograms=slots(1, FAST) + slots(2, {1 * MS: 100_000}))  # fmt: skip
    assert spectrum.data(dataset)["percentile"].max() == 99.0


def test_the_line_ends_where_the_missing_begin() -> None:
    # 950 of 1,000 answered: from p95 on there is no answer.
    runs = [{"run": "r1", "slo": "p99=10ms"}]
    frame = spectrum.data(dataset_of(runs=runs, trials=[trial(1)], histograms=slots(1, {1 * MS: 950})))
    lines = frame[frame["kind"] == "response"]
    assert 94 < lines["percentile"].max() <= 95
    assert lines["ends"].tolist() == [False] * (len(lines) - 1) + [True]
    assert "Requests stay unanswered beyond p94." in spectrum.caption(frame)
    assert "0 of 1 meet p99 ≤ 10 ms" in spectrum.caption(frame)


def test_one_of_three_that_never_answers_raises_the_band_only() -> None:
    dataset = dataset_of(trials=[trial(1), trial(2), trial(3)],
                         histograms=slots(1, FAST) + slots(2, FAST) + slots(3, {1 * MS: 500}))  # fmt: skip
    row = at(spectrum.data(dataset), 90.0)
    assert row["response_ns"] == pytest.approx(1 * MS, rel=NEAR)
    assert math.isinf(row["high_ns"])


def test_an_objective_between_the_nines_is_judged_at_its_own_percentile() -> None:
    # 1,000 requests: p95 is the 950th, and 51 are slow in the first cell, 50 in the second.
    dataset = dataset_of(trials=[trial(1), trial(2, "poll")], runs=[{"run": "r1", "slo": "p95=10ms"}], histograms=slots(
        1, {1 * MS: 949, 100 * MS: 51}) + slots(2, {1 * MS: 950, 100 * MS: 50}))  # fmt: skip
    assert "1 of 2 meet p95 ≤ 10 ms." in spectrum.caption(spectrum.data(dataset))


def test_the_nines_are_met_exactly_with_a_dozen_points_between() -> None:
    percents = [float(one) for one in spectrum.percents()]
    assert {50.0, 90.0, 99.0, 99.9, 99.99} <= set(percents)
    assert sum(90 < one <= 99 for one in percents) == 12
    assert percents == sorted(percents)


def test_finding_names_fastest_and_slowest_the_lag_and_who_is_left_out() -> None:
    dataset = dataset_of(
        trials=[trial(1), trial(2, "poll"), SELECT,
                trial(4, "trio", outcome="crashed", reason="exit 1 <b>\x1b[31m")],
        runs=[{"run": "r1", "slo": "p99=5ms"}],
        histograms=slots(1, {1 * MS: 1000}) + slots(2, {8 * MS: 1000}) + slots(1, {200_000: 1000}, kind="lag"),
    )  # fmt: skip
    text = spectrum.caption(spectrum.data(dataset))
    assert text == (
        "At p99 epoll answers within 1.00 ms, poll within 8.00 ms. 1 of 2 meet p99 ≤ 5 ms. The generator itself is "
        "200 µs late at p99. Left out: select (FD_SETSIZE, 1,018 held); trio (exit 1 <b>\\u001b[31m)."
    )


def test_a_label_keeps_no_control_characters() -> None:
    frame = spectrum.data(dataset_of(trials=[trial(1, "a\x1b[2J")], histograms=slots(1, FAST)))
    assert "a\\u001b[2J" in spectrum.caption(frame)
    assert "\x1b" not in spectrum.caption(frame)


def test_controls_and_struck_cells_are_not_drawn() -> None:
    dataset = dataset_of(trials=[trial(1), trial(2, control=True), trial(3, "poll")],
                         findings=[struck("poll", "no ceiling")],
                         histograms=slots(1, FAST) + slots(2, SLOW) + slots(3, SLOW))  # fmt: skip
    frame = spectrum.data(dataset)
    assert at(frame, 99.0)["repetitions"] == 1
    assert frame.loc[frame["kind"] == "left out", ["label", "note"]].to_numpy().tolist() == [["poll", "no ceiling"]]


def test_of_29_strategies_six_are_named_and_the_chart_stays_small() -> None:
    trials = [trial(n, f"strategy_number_{n}", planned_requests=100_000) for n in range(1, 30)]
    rows = [row for n in range(1, 30) for row in slots(n, {n * MS: 99_000, 2 * n * MS: 1000})]
    frame = spectrum.data(dataset_of(trials=trials, histograms=rows))
    named = frame.loc[frame["shown"].eq(True), "strategy"].unique()
    assert len(named) == 6
    assert {"strategy_number_1", "strategy_number_29"} <= set(named)
    assert len(json.dumps(spectrum.draw(frame).to_dict())) < 150_000


def test_nothing_to_show() -> None:
    assert make(spectrum, dataset_of(trials=[trial(1, outcome="dnf", limit="FD_SETSIZE")])) is None
    assert make(spectrum, dataset_of(trials=[trial(1)], histograms=slots(1, FAST))) is not None


def test_labels_keep_their_distance_and_their_order() -> None:
    assert series.dodged([1.0, 1.0], 0.5) == [0.75, 1.25]
    assert series.dodged([3.0, 1.0], 0.5) == [3.0, 1.0]
    assert series.stacked([1.0, 1.0, 9.0], 2.0) == [1.0, 3.0, 9.0]


def test_spread_takes_both_ends() -> None:
    assert series.spread(list("abcdefghijk"), 6) == list("acegik")
    assert series.spread(["a"], 6) == ["a"]
    # c has the colour of a, and its neighbours b and d stand as near: the first of these is taken.
    colours = dict(zip("abcde", ("red", "green", "red", "blue", "grey"), strict=True))
    assert series.spread(list("abcde"), 3, colours) == list("abe")
    assert series.spread(list("abcde"), 3, dict.fromkeys("abcde", "red")) == list("ace")


def test_of_whom_it_cannot_be_told_none_is_said_to_meet_the_objective() -> None:
    """The defect: "5 of 5 meet" below a table of which two could not be told."""
    barred = struck("poll", "others used its CPU", "SV5") | {"severity": "warn", "cells": "[]", "trials": "[2]"}
    dataset = dataset_of(runs=[{"run": "r1", "slo": "p99=10ms"}], trials=[trial(1), trial(2, "poll")],
                         findings=[barred], histograms=slots(1, FAST) + slots(2, FAST))  # fmt: skip
    assert "1 of 2 meet p99 ≤ 10 ms; of 1 it cannot be told." in spectrum.caption(spectrum.data(dataset))
