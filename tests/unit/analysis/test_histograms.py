"""Histograms are read, added and cut at exactly the right index."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from analysis import histograms
from analysis.histograms import decode, percentile_ns
from contracts.histogram import BadHistogram
from tests.unit.analysis.build import MS, S, encode

P50, P99, P999 = Fraction(50), Fraction(99), Fraction(999, 10)

# Written by hdrhistogram-go 1.4.0: the first and last values of the units and of several buckets.
BY_GO = "HISTFAAAADV42pJpmSzMwMDAzwABzFA6hYGBgfeHewSD/QeoCAvTd3kmpt/8TExfZzMxAQIAAP//tTQIUg=="
BY_GO_NS = (100, 127, 128, 131071, 131072, 262143, 262144, 60 * S)


def counts_of(recorder: HdrHistogram) -> list[int]:
    return [recorder.get_count_at_index(index) for index in range(recorder.counts_len)]


def recorded(values: list[int]) -> HdrHistogram:
    recorder = HdrHistogram(100, 60 * S, 3)
    for value in values:
        recorder.record_value(value)
    return recorder


def samples(seed: int, n: int) -> list[int]:
    """Responses over the whole range, evenly in their logarithm."""
    return [int(x) for x in 10 ** np.random.default_rng(seed).uniform(2, np.log10(60e9), n)]


def test_the_other_language_writes_the_same_indices() -> None:
    assert decode(BY_GO).tolist() == counts_of(recorded(list(BY_GO_NS)))


def test_the_contracts_vector() -> None:
    path = Path(__file__).parents[2] / "contract/vectors/histogram.json"
    vector = json.loads(path.read_text())
    assert decode(vector["base64"]).tolist() == counts_of(recorded(vector["values_ns"]))


def test_a_merge_is_one_recorder_fed_everything() -> None:
    parts = [samples(seed, 2000) for seed in range(6)]
    merged = histograms.add(decode(encode(part)) for part in parts)
    assert merged.tolist() == counts_of(recorded([value for part in parts for value in part]))
    assert histograms.add([]).sum() == 0


def test_percentiles_are_those_of_the_sorted_values() -> None:
    values = sorted(samples(7, 9973))
    counts = decode(encode(values))
    for percent in (P50, P99, P999):
        rank = -(-percent * len(values) // 100)
        truth = values[int(rank) - 1]
        assert percentile_ns(counts, len(values), percent) == recorded([truth]).get_highest_equivalent_value(truth)


def test_a_rank_is_exact_where_floats_are_not() -> None:
    # 0.999 × 1000 is 999 exactly: the one slow request in a thousand lies beyond p99.9.
    assert percentile_ns(decode(encode({1000: 999, 1 * S: 1})), 1000, P999) < 2000
    assert percentile_ns(decode(encode({1000: 998, 1 * S: 2})), 1000, P999) >= 1 * S


def test_missing_requests_are_later_than_any() -> None:
    answered = decode(encode({1 * MS: 985}))
    assert percentile_ns(answered, 1000, P50) == pytest.approx(1 * MS, rel=1e-3)
    assert percentile_ns(answered, 1000, P99) == float("inf")
    assert percentile_ns(answered, 985, P99) == pytest.approx(1 * MS, rel=1e-3)
    assert percentile_ns(histograms.empty(), 5, P50) == float("inf")
    assert np.isnan(percentile_ns(histograms.empty(), 0, P50))


def test_what_a_percentile_rests_on() -> None:
    assert histograms.tail(100_000, P999) == 100
    assert histograms.tail(1_000, P99) == 10
    assert histograms.tail(999, P99) < 10


OTHER_RANGE = HdrHistogram(1, 3_600_000_000, 2).encode().decode()


@pytest.mark.parametrize(
    "text", ["", "a", "AAAA", "é", None, 7, BY_GO[:40], BY_GO[8:], BY_GO[:-8] + "AAAAAAA=", OTHER_RANGE]
)
def test_what_is_no_histogram_of_ours_is_refused(text: object) -> None:
    with pytest.raises(BadHistogram):
        decode(text)
