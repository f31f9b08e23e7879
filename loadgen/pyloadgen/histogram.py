"""HDR histograms of nanoseconds, 100 ns to 60 s with three digits, in the encoding that every HDR library reads.

Counts are sparse: a connection's thread may have one of its own, and most of the 27,000 places are never used.
"""

from __future__ import annotations

import base64
import struct
import zlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

LOWEST = 100
HIGHEST = 60_000_000_000  # what is slower is recorded as this, and counted in `over`
DIGITS = 3
UNIT_BITS = LOWEST.bit_length() - 1
SUB_BITS = 11  # 2,048 places in each doubling: the power of two above 2 · 10^DIGITS
HALF_BITS = SUB_BITS - 1
SUB_MASK = ((1 << SUB_BITS) - 1) << UNIT_BITS

COMPRESSED_COOKIE = 0x1C849314
PLAIN_COOKIE = 0x1C849313
PLAIN = struct.Struct(">IIIIQQd")  # cookie, length, offset, digits, lowest, highest, ratio
OUTER = struct.Struct(">II")


def index_of(value: int) -> int:
    """The place of a value, as HdrHistogram counts them."""
    bucket = (value | SUB_MASK).bit_length() - UNIT_BITS - SUB_BITS
    return (bucket << HALF_BITS) + (value >> (bucket + UNIT_BITS))


def bounds_of(index: int) -> tuple[int, int]:
    """The smallest and the largest value of a place."""
    bucket = max(0, (index >> HALF_BITS) - 1)
    lowest = (index - (bucket << HALF_BITS)) << (bucket + UNIT_BITS)
    return lowest, lowest + (1 << (bucket + UNIT_BITS)) - 1


def leb128(number: int) -> bytes:
    """ZigZag LEB128 in at most nine bytes, of which the ninth is whole."""
    rest = (number << 1 ^ number >> 63) & (1 << 64) - 1
    out = bytearray()
    while rest >= 0x80 and len(out) < 8:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


class Histogram:
    """Latencies of one kind."""

    __slots__ = ("counts", "over", "total")

    def __init__(self, counts: Optional[dict[int, int]] = None, over: int = 0) -> None:
        self.counts = counts or {}
        self.total = sum(self.counts.values())
        self.over = over

    def record(self, ns: int) -> None:
        if ns > HIGHEST:
            ns = HIGHEST
            self.over += 1
        index = index_of(ns if ns > 0 else 0)  # below 0: two readings around what took no time
        self.counts[index] = self.counts.get(index, 0) + 1
        self.total += 1

    def __add__(self, other: Histogram) -> Histogram:
        """Add at every index, which loses nothing."""
        counts = dict(self.counts)
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + count
        return Histogram(counts, self.over + other.over)

    def quantile(self, fraction: float) -> int:
        """The ns at or below which this fraction of all lies, to three digits; 0 where there are none."""
        wanted, seen = fraction * self.total, 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted:
                return bounds_of(index)[1]
        return 0

    def encode(self) -> str:
        """The base64 form of the compressed V2 encoding. A run of empty places is written as its length below zero."""
        words = bytearray()
        following = 0
        for index in sorted(self.counts):
            empty = index - following
            if empty:
                words += leb128(-empty) if empty > 1 else leb128(0)
            words += leb128(self.counts[index])
            following = index + 1
        plain = PLAIN.pack(PLAIN_COOKIE, len(words), 0, DIGITS, LOWEST, HIGHEST, 1.0) + words
        packed = zlib.compress(plain)
        return base64.b64encode(OUTER.pack(COMPRESSED_COOKIE, len(packed)) + packed).decode()


class LatencyLog:
    """The file latency.hlog as it grows: one histogram a line, tagged by kind, its times in seconds from `go`."""

    def __init__(self, path: Path, origin: str) -> None:
        now = datetime.now(timezone.utc)
        utc = now.isoformat(timespec="milliseconds")[:-6]
        self._file = path.open("w", buffering=1)  # a killed agent leaves whole lines
        self._file.write(
            "#[Histogram log format version 1.3]\n"
            f"#[{origin}; nanoseconds; times count from go]\n"
            f"#[StartTime: {now.timestamp():.3f} (seconds since epoch), {utc}Z]\n"
            '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
        )

    def add(self, kind: str, start_s: int, length_s: int, histogram: Histogram, encoded: str) -> None:
        self._file.write(f"Tag={kind},{start_s}.000,{length_s}.000,{histogram.quantile(1) / 1e6:.3f},{encoded}\n")
