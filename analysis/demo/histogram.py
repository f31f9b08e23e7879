"""Values to HDR text: counted in numpy, coded by the library."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from analysis.histograms import DIGITS, HIGHEST_NS, LOWEST_NS, highest_value_ns

UNIT_BITS = 6  # 64 ns: the largest power of two that is not above the lowest value
HALF_BITS = 10  # 1,024 slots for each power of two


def encode(values_ns: npt.NDArray[np.float64]) -> str:
    """The HDR V2 text of these values."""
    made = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    if len(values_ns):
        slots, counts = np.unique(slot(values_ns), return_counts=True)
        np.ctypeslib.as_array(made.counts)[slots] = counts
        made.total_count = len(values_ns)
        made.min_value, made.max_value = highest_value_ns(int(slots[0])), highest_value_ns(int(slots[-1]))
    text: bytes = made.encode()
    return text.decode()


def slot(values_ns: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The index of each value in the histogram of 100 ns to 60 s with 3 digits."""
    units = np.clip(values_ns, LOWEST_NS, HIGHEST_NS).astype(np.int64) >> UNIT_BITS
    # Of a number below 2^53 frexp gives the bit length exactly.
    bits = np.frexp(units | (2 << HALF_BITS) - 1)[1].astype(np.int64) - HALF_BITS - 1
    found: npt.NDArray[np.int64] = (bits << HALF_BITS) + (units >> bits)
    return found
