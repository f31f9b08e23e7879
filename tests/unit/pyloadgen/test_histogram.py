"""The histogram in Python against the HDR library, at every index."""

import json
import random
from pathlib import Path

import pytest
from hdrh.codec import HdrHistogramEncoder
from hdrh.histogram import HdrHistogram

from pyloadgen.books import total
from pyloadgen.histogram import HIGHEST, LOWEST, Histogram, bounds_of, index_of, leb128

VECTOR = json.loads((Path(__file__).parents[2] / "contract/vectors/histogram.json").read_text())


def library() -> HdrHistogram:
    return HdrHistogram(LOWEST, HIGHEST, 3)


def counts(encoded: str) -> dict[int, int]:
    """What a foreign decoder reads."""
    decoded = HdrHistogram.decode(encoded)
    return {index: n for index in range(decoded.counts_len) if (n := decoded.get_count_at_index(index))}


def of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_every_index_is_the_library_s() -> None:
    hdr = library()
    for index in range(hdr.counts_len):
        low, high = bounds_of(index)
        assert (index_of(low), index_of(high)) == (index, index)
        assert hdr.get_value_from_index(index) == low
    for value in (0, 1, 99, 100, 131_071, 131_072, 1_000_000, HIGHEST):
        assert index_of(value) == hdr._counts_index_for(value)


def test_vector() -> None:
    assert counts(of(VECTOR["values_ns"]).encode()) == counts(VECTOR["base64"])


@pytest.mark.parametrize("size", [0, 1, 2, 5000])
def test_the_library_reads_it(size: int) -> None:
    chance = random.Random(size)
    values = [int(chance.lognormvariate(14, 3)) for _ in range(size)]
    ours, hdr = of(values), library()
    for value in values:
        hdr.record_value(min(value, HIGHEST))
    assert counts(ours.encode()) == ours.counts
    assert ours.counts == counts(HdrHistogramEncoder(hdr).histogram.encode().decode())
    assert ours.total == size
    if values:
        for quantile in (0.5, 0.99, 1.0):
            assert ours.quantile(quantile) == hdr.get_value_at_percentile(quantile * 100)
        assert ours.quantile(1) == hdr.get_highest_equivalent_value(hdr.get_max_value())


def test_what_is_too_slow_is_counted() -> None:
    histogram = of([-5, HIGHEST, HIGHEST + 1])
    assert (histogram.total, histogram.over) == (3, 1)
    assert histogram.counts == {0: 1, index_of(HIGHEST): 2}


def test_parts_add_up_to_the_whole() -> None:
    values = [chance * 7919 for chance in range(1, 3000)]
    assert total([of(values[first::4]) for first in range(4)]).encode() == of(values).encode()


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (-64, "7f"),
        (64, "8001"),
        (-8192, "ff7f"),
        ((1 << 62) - 1, "fe" + "ff" * 7 + "7f"),
    ],
)
def test_leb128(number: int, encoded: str) -> None:
    assert leb128(number).hex() == encoded
