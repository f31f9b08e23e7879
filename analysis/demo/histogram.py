"""Values to HDR text: counted in numpy, coded by the library."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from analysis.histograms import values_ns
from contracts.histogram import DIGITS, HIGHEST_NS, LOWEST_NS


def encode(values: npt.NDArray[np.float64]) -> str:
    """The HDR V2 text of these nanoseconds."""
    made = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    if len(values):
        whole = np.sort(np.clip(values, LOWEST_NS, HIGHEST_NS).astype(np.int64))
        counts = np.bincount(np.searchsorted(values_ns(), whole))
        np.ctypeslib.as_array(made.counts)[: len(counts)] = counts
        made.total_count, made.max_value = len(values), int(values_ns()[len(counts) - 1])
    text: bytes = made.encode()
    return text.decode()
