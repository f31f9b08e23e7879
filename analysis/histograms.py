"""HDR histograms as numpy arrays of counts: decoded exactly, added at every index, never averaged. Nanoseconds."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.codec import HdrCookieException, HdrHistogramEncoder, HdrLengthException
from hdrh.histogram import HdrHistogram

from contracts.histogram import DIGITS, HIGHEST_NS, LOWEST_NS, BadHistogram, check
from contracts.judge import LEAST_TAIL

# Requests beyond a percentile: with fewer it is withheld, or deserves a mark.
WITHHELD_BELOW, MARKED_BELOW = LEAST_TAIL, 100
# Width of a slot, of its value: nothing is known better.
SLOT_SHARE = 2.0**-10

Counts = npt.NDArray[np.int64]

_RULER = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
SLOTS: int = _RULER.counts_len
BUCKETS: int = _RULER.bucket_count
SUB_BUCKETS: int = _RULER.sub_bucket_count

SHORT_CHARACTERS = 4096  # such a text cannot unpack to much: zlib gives 1,032 : 1
MOST_COUNT = 1 << 40  # sums of many such fit 64 bits, and no client times as many


def empty() -> Counts:
    return np.zeros(SLOTS, dtype=np.int64)


@dataclass(frozen=True)
class Sparse:
    """A histogram as its filled slots, ascending, and how many values each holds: what a second of a client comes
    to."""

    slots: npt.NDArray[np.int16]  # there are fewer than 32,768
    counts: Counts

    @property
    def total(self) -> int:
        return int(self.counts.sum())


def dense(parts: Iterable[Sparse]) -> Counts:
    """The sum at every index."""
    total = empty()
    for part in parts:
        total[part.slots] += part.counts
    return total


def sparse(text: object) -> Sparse:
    """The filled slots of a base64 HDR V2 compressed histogram."""
    return filled(_counts(text))


def filled(counts: npt.NDArray[np.integer[Any]]) -> Sparse:
    """The filled slots of the counts at every index."""
    slots = np.flatnonzero(counts != 0)  # of truths it is several times as fast
    return Sparse(slots.astype(np.int16), counts[slots].astype(np.int64))


def decode(text: object) -> Counts:
    """The count at every index of a base64 HDR V2 compressed histogram."""
    # A copy: the array underneath belongs to the decoder and goes with it.
    return np.array(_counts(text), dtype=np.int64)


def _counts(text: object) -> npt.NDArray[np.integer[Any]]:
    if not isinstance(text, str):
        raise BadHistogram("not a text")
    try:
        if len(text) > SHORT_CHARACTERS:
            check(text)
        payload = HdrHistogramEncoder.decode(text)
        head = payload.payload
        found = (head.lowest_trackable_value, head.highest_trackable_value, head.significant_figures)
        # Checked before the counts are allocated: the range decides how much memory that takes.
        if found != (LOWEST_NS, HIGHEST_NS, DIGITS) or head.normalizing_index_offset != 0:
            raise BadHistogram(f"its range is {found}, not {(LOWEST_NS, HIGHEST_NS, DIGITS)}")
        payload.init_counts(SLOTS)
    except (
        HdrCookieException,
        HdrLengthException,
        ValueError,
        TypeError,
        IndexError,
        RuntimeError,
        zlib.error,
    ) as error:
        raise BadHistogram(str(error) or type(error).__name__) from error
    counts = np.frombuffer(payload.get_counts(), dtype=np.int64)
    if counts.min() < 0 or counts.max() > MOST_COUNT:
        raise BadHistogram("a count is negative, or none that could be measured")
    return counts


def add(parts: Iterable[Counts]) -> Counts:
    """The sum at every index; of nothing, the empty histogram."""
    total = empty()
    for part in parts:
        total += part
    return total


@cache
def values_ns() -> npt.NDArray[np.float64]:
    """The largest value counted at every index: what HDR readers report for it."""
    highest, value = _RULER.get_highest_equivalent_value, _RULER.get_value_from_index
    return np.array([highest(value(index)) for index in range(SLOTS)], dtype=float)


def percentile_ns(counts: Counts, planned: int, percent: Fraction) -> float:
    """The response below which `percent` of the planned requests lie; inf where the missing ones begin, nan of nothing.

    Rank ceil(percent × planned), counted in exact arithmetic: 99.9 % of 1,000 is 999, which floats make 1,000.
    """
    return sparse_percentile_ns(filled(counts), planned, percent)


@lru_cache(maxsize=4096)  # seconds of one rate plan the same numbers, and fractions are slow
def rank(planned: int, percent: Fraction) -> int:
    """The place, from 1, of the request that a percentile of so many is."""
    return max(1, ceil(percent * planned / 100))


def sparse_percentile_ns(part: Sparse, planned: int, percent: Fraction) -> float:
    """As percentile_ns."""
    if planned <= 0:
        return float("nan")
    index = int(np.searchsorted(np.cumsum(part.counts), rank(planned, percent)))
    return float("inf") if index >= len(part.slots) else float(values_ns()[part.slots[index]])


@lru_cache(maxsize=4096)
def tail(planned: int, percent: Fraction) -> Fraction:
    """How many requests lie beyond a percentile: what it rests on."""
    return planned * (100 - percent) / 100
