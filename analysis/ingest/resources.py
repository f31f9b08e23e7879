"""What the server used in a trial, from the cumulative counters of its samples."""

import math

import numpy as np
import pandas as pd

NAN = float("nan")
# Growth below this is the interpreter's own unrest, not the connections'.
SMALLEST_GROWTH_BYTES = 64 * 1024
# A sample due at the window's edge may come this share of the window late or early without being worth a gap.
EDGE_TOLERANCE = 0.01


def cpu_between(samples: pd.DataFrame, start_ns: float, end_ns: float) -> tuple[float, float]:
    """CPU time in user and in kernel mode, nanoseconds: the counters interpolated linearly at both edges, and
    subtracted; nan where the samples do not span them."""
    if samples.empty or end_ns <= start_ns:
        return NAN, NAN
    t = samples["t_ns"].to_numpy(dtype=float)
    slack = (end_ns - start_ns) * EDGE_TOLERANCE
    if start_ns < t[0] - slack or end_ns > t[-1] + slack:
        return NAN, NAN
    user, system = (
        float(np.diff(np.interp([start_ns, end_ns], t, samples[name].to_numpy(dtype=float)))[0])
        for name in ("cpu_user_ns", "cpu_system_ns")
    )
    # A cumulative counter that fell has lost a process on the way: no number is better than a wrong one.
    return (user, system) if min(user, system) >= 0 else (NAN, NAN)


def rss_per_connection(samples: pd.DataFrame, held: float, start_ns: float, end_ns: float) -> float:
    """Growth of the server's resident memory per held connection, bytes; nan where tiny, negative or unknown.

    From the first sample with a living process to the median within the window, or without one (nan) to the largest.
    """
    alive = samples[samples["processes"] > 0]
    if alive.empty or not held > 0:
        return NAN
    t, rss = alive["t_ns"].to_numpy(dtype=float), alive["rss_bytes"].to_numpy(dtype=float)
    loaded = rss.max()
    if not math.isnan(start_ns):
        within = rss[(t >= start_ns) & (t <= end_ns)]
        # Between the two samples of a process tree too large to sample every second; nan outside of them.
        between = np.interp((start_ns + end_ns) / 2, t, rss, left=np.nan, right=np.nan)
        loaded = np.median(within) if len(within) else between
    growth = float(loaded) - float(rss[0])
    return growth / held if growth >= SMALLEST_GROWTH_BYTES else NAN
