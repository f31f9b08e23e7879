"""Small datasets for the tests of charts and answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis import histograms
from analysis.cells import cell_table
from analysis.model import Dataset
from tests.unit.analysis.build import encode

MS = 1_000_000
Row = dict[str, Any]


def dataset_of(notes: Sequence[str] = (), **tables: Any) -> Dataset:
    """These tables, with the cells that follow from them."""
    data = Dataset.of(notes, **tables)
    return replace(data, cells=cell_table(data))


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


def estimate(strategy: str, metric: str, value: float, low: float = np.nan, high: float = np.nan, **fields: Any) -> Row:
    """A row of `estimates` of the strategy's cell."""
    return {"run": "r1", "cell": f"c-{strategy}", "metric": metric, "value": value, "low": low, "high": high,
            "confidence": 0.95, "n": 3, "method": "test", "quality": "solid"} | fields  # fmt: skip


def contrast(strategy: str, ratio: float, low: float, high: float, verdict: str, **fields: Any) -> Row:
    """A row of `contrasts` against epoll, of efficiency."""
    return {"run": "r1", "metric": "efficiency", "cell": f"c-{strategy}", "baseline": "c-epoll", "ratio": ratio,
            "low": low, "high": high, "confidence": 0.95, "family_low": low, "family_high": high, "p": 0.01,
            "p_holm": 0.02, "least": 0.088, "margin": 0.03, "n": 3, "method": "test",
            "verdict": verdict} | fields  # fmt: skip


def struck(strategy: str, message: str, check: str = "GN1") -> Row:
    """A finding that takes the strategy's cell out of the ranking."""
    return {"run": "r1", "check": check, "severity": "invalid", "scope": "trial", "cells": f'["c-{strategy}"]',
            "trials": "[]", "hosts": "[]", "message": message, "matters": "m", "remedy": "r",
            "evidence": "[]"}  # fmt: skip
