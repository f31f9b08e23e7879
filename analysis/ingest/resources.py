"""What the server used in a trial, from the cumulative counters of its samples."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

NAN = float("nan")
# Growth below this is the interpreter's own unrest, not the connections'.
SMALLEST_GROWTH_BYTES = 64 * 1024
# The kernel adds to a process's resident memory in steps of so much: it counts apart on each CPU, and adds up seldom.
RSS_STEP_BYTES = 128 * 1024
# A sample due at the window's edge may come this share of the window late or early without being worth a gap.
EDGE_TOLERANCE = 0.01
# Between two samples a counter need not grow evenly: for a comparison to the percent each edge has one as near as this.
NEAR_EDGE = 0.02


def grown(samples: pd.DataFrame, counter: str, start_ns: float, end_ns: float) -> float:
    """How much a cumulative counter grew in this time: interpolated linearly at both edges, and subtracted; nan where
    the samples do not span it, and where the counter fell (it lost a process: no number is better than a wrong one)."""
    known = samples[samples[counter].notna()]
    if known.empty or not end_ns > start_ns:
        return NAN
    t = _floats(known, "t_ns")
    slack = (end_ns - start_ns) * EDGE_TOLERANCE
    if start_ns < t[0] - slack or end_ns > t[-1] + slack:
        return NAN
    growth = float(np.diff(np.interp([start_ns, end_ns], t, _floats(known, counter)))[0])
    return growth if growth >= 0 else NAN


def are_sampled(samples: pd.DataFrame, start_ns: float, end_ns: float) -> bool:
    """Whether a sample was taken near the start and one near the end."""
    t, near = _floats(samples, "t_ns"), (end_ns - start_ns) * NEAR_EDGE
    return bool(len(t)) and all(float(np.abs(t - edge).min()) <= near for edge in (start_ns, end_ns))


def rss_per_connection(samples: pd.DataFrame, start_ns: float, end_ns: float) -> tuple[float, float]:
    """Growth of the server's resident memory for each connection that came between two samples, and how far off the
    steps of the kernel's account may make that, bytes; nan where tiny, negative or unknown.

    From the first sample with as many living processes as under load (the first one where there is none: each
    connection has a process) to the median within the window, or without one (nan) to the largest.
    """
    known = samples.assign(held=samples["open"].fillna(samples["established"]))
    alive = known[(known["processes"] > 0) & known["held"].notna()]
    if alive.empty:
        return NAN, NAN
    t, rss, held, processes = (_floats(alive, name) for name in ("t_ns", "rss_bytes", "held", "processes"))
    loaded = _loaded(t, np.array([rss, held, processes]), start_ns, end_ns)
    before = np.flatnonzero((processes == loaded[2]) & (held < loaded[1]))
    first = before[0] if len(before) else 0
    growth, came = float(loaded[0] - rss[first]), float(loaded[1] - held[first])
    if not came > 0 or not growth >= SMALLEST_GROWTH_BYTES:
        return NAN, NAN
    return growth / came, RSS_STEP_BYTES * float(loaded[2]) / came


def _loaded(
    t: npt.NDArray[np.float64], told: npt.NDArray[np.float64], start_ns: float, end_ns: float
) -> npt.NDArray[np.float64]:
    """Memory, connections and processes under load."""
    if math.isnan(start_ns):
        largest: npt.NDArray[np.float64] = told[:, int(np.argmax(told[0]))]
        return largest
    within = told[:, (t >= start_ns) & (t <= end_ns)]
    if within.shape[1]:
        return np.median(within, axis=1)
    # Between the two samples of a process tree too large to sample every second; nan outside of them.
    return np.array([np.interp((start_ns + end_ns) / 2, t, one, left=np.nan, right=np.nan) for one in told])


def _floats(table: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    return table[name].to_numpy(dtype=float, na_value=np.nan)
