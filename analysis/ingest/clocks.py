"""How far each host's clock was from the controller's, and how well that is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.ingest.events import Log
from analysis.ingest.fields import mapping, number


def clock_rows(log: Log) -> list[dict[str, Any]]:
    """One row per trial and host: the offset before and after, and the bound of the first."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for event in log.of("clocks"):
        if event["trial"] is None:
            continue
        for host, clock in mapping(event.get("clocks")).items():
            row = found.setdefault((event["trial"], host), {"run": log.run, "trial": event["trial"], "host": host})
            offset = number(mapping(clock).get("offset_ns"))
            if event.get("when") == "after":
                row["offset_after_ns"] = offset
            else:
                row |= {"offset_ns": offset, "bound_ns": number(mapping(clock).get("bound_ns"))}
    return list(found.values())


def bounds_ns(log: Log) -> dict[tuple[int, str], float]:
    """How far a time may be off on the common axis: the bound of the offset, and what the clock drifted in the
    trial."""
    rows = {(row["trial"], row["host"]): row for row in clock_rows(log)}
    drifts = {key: abs(row.get("offset_after_ns", np.nan) - row.get("offset_ns", np.nan)) for key, row in rows.items()}
    return {key: row.get("bound_ns", np.nan) + np.nan_to_num(drifts[key]) for key, row in rows.items()}
