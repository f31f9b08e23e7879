"""What the server used, from the cumulative counters of its `sample` events."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.ingest.events import Log, is_count

SAMPLE_FIELDS = {"t": "t_ns", **{name: name for name in ("cpu_user_ns", "cpu_system_ns", "rss_bytes", "processes")}}
# Growth below this is the interpreter's own unrest, not the connections'.
SMALLEST_GROWTH_BYTES = 64 * 1024
# A sample due at the window's edge may come this share of the window late or early without being worth a gap.
EDGE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Cpu:
    """CPU time within a window, nanoseconds; nan where the samples do not span it."""

    user_ns: float
    system_ns: float

    @property
    def total_ns(self) -> float:
        return self.user_ns + self.system_ns


NO_CPU = Cpu(float("nan"), float("nan"))


def sample_table(log: Log) -> pd.DataFrame:
    """One row per whole sample of the server, in the order of its clock; t_ns is the server's."""
    rows = [
        {"trial": event["trial"]} | {name: event[field] for field, name in SAMPLE_FIELDS.items()}
        for event in log.of("sample")
        if event["host"] == log.server
        and is_count(event["trial"])
        and all(is_count(event.get(f)) for f in SAMPLE_FIELDS)
    ]
    table = pd.DataFrame(rows, columns=["trial", *SAMPLE_FIELDS.values()])
    return table.sort_values(["trial", "t_ns"], kind="stable", ignore_index=True)


def cpu_between(samples: pd.DataFrame, start_ns: float, end_ns: float) -> Cpu:
    """Counters interpolated linearly at both edges (server's clock), and subtracted."""
    if samples.empty or end_ns <= start_ns:
        return NO_CPU
    t = samples["t_ns"].to_numpy(dtype=float)
    slack = (end_ns - start_ns) * EDGE_TOLERANCE
    if start_ns < t[0] - slack or end_ns > t[-1] + slack:
        return NO_CPU
    used = []
    for name in ("cpu_user_ns", "cpu_system_ns"):
        at_start, at_end = np.interp([start_ns, end_ns], t, samples[name].to_numpy(dtype=float))
        used.append(float(at_end - at_start))
    # A cumulative counter that fell has lost a process on the way: no number is better than a wrong one.
    return Cpu(*used) if min(used) >= 0 else NO_CPU


def rss_per_connection(samples: pd.DataFrame, held: float, start_ns: float | None, end_ns: float | None) -> float:
    """Growth of the server's resident memory per held connection, bytes; nan where tiny, negative or unknown.

    From the first sample with a living process to the median within the window, or without one to the largest.
    """
    alive = samples[samples["processes"] > 0]
    if alive.empty or not held > 0:
        return float("nan")
    rss = alive["rss_bytes"]
    loaded = rss.max()
    if start_ns is not None and end_ns is not None:
        within = rss[(alive["t_ns"] >= start_ns) & (alive["t_ns"] <= end_ns)]
        loaded = within.median() if len(within) else _between(alive, (start_ns + end_ns) / 2)
    growth = float(loaded) - float(rss.iloc[0])
    return growth / held if growth >= SMALLEST_GROWTH_BYTES else float("nan")


def _between(alive: pd.DataFrame, at_ns: float) -> float:
    """Memory interpolated between the two samples of a process tree too large to sample every second; nan outside."""
    return float(np.interp(at_ns, alive["t_ns"], alive["rss_bytes"], left=np.nan, right=np.nan))
