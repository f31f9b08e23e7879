"""Small datasets for the tests of figures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis import histograms
from tests.unit.analysis.build import encode

MS = 1_000_000
Row = dict[str, Any]


def trial(n: int, strategy: str = "epoll", **fields: Any) -> Row:
    """A good repetition at 10,000 connections; a cell a strategy."""
    row = {"run": "r1", "trial": n, "block": n, "cell": f"c-{strategy}", "control": False, "strategy": strategy,
           "workload": "open", "connections": 10_000, "outcome": "ok", "planned_requests": 1000}  # fmt: skip
    return row | fields


def slots(n: int, values_ns: Mapping[int, int], host: str = "client1", kind: str = "response") -> list[Row]:
    """Rows of the table `histograms`: so many requests per value."""
    counts = histograms.decode(encode(values_ns))
    return [{"run": "r1", "trial": n, "host": host, "kind": kind, "slot": int(slot), "count": int(counts[slot])}
            for slot in np.flatnonzero(counts)]  # fmt: skip
