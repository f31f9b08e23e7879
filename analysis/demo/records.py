"""The single records of a synthetic trial, as agents and conductor write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.demo.histogram import encode
from analysis.demo.truth import RUN, STRATEGIES, Trial
from contracts.declared import PARAMETERS

NS = 1_000_000_000
BACKLOG = PARAMETERS["backlog"].default
# Every host's clock is far from the others': nothing may work only because they agree.
CLOCK_NS = {"server": 86_400 * NS, "client1": 5 * NS, "client2": 777 * NS, "client3": 3 * NS, "controller": 50 * NS}

NOTHING = np.array([])
OVER = ("response", "service", "lag", "connect")
USAGE = dict.fromkeys(
    ("cpu_user_ns", "cpu_system_ns", "max_rss_bytes", "minor_faults", "major_faults", "voluntary_switches",
     "involuntary_switches"), 0
)  # fmt: skip

Event = dict[str, Any]


def go_ns(host: str, n: int) -> int:
    """When trial n begins, in the host's clock."""
    return CLOCK_NS[host] + n * 60 * NS


def event(name: str, host: str, number: int, /, **fields: Any) -> Event:
    return {"event": name, **fields, "host": host, "trial": number, "at": number * 60 * NS}


def part(total: int, i: int) -> int:
    """The share of client i of three, by largest remainder."""
    return total // 3 + (i < total % 3)


def sample(
    trial: Trial,
    t: float,
    user_s: float,
    system_s: float,
    held: int,
    kernel: Event | None = None,
    queue: int = 0,
    foreign_s: float = 0.0,
) -> Event:
    strategy = STRATEGIES[trial.of.strategy]
    rss = 18_000_000 + int(held * strategy.bytes_per_connection)
    part = [held // strategy.workers + (i < held % strategy.workers) for i in range(strategy.workers)]
    used = {"cpu_user_ns": int(user_s * NS), "cpu_system_ns": int(system_s * NS), "agent_ns": int((t + 5) * 2_000_000)}
    return event(
        "sample", "server", trial.n, t=go_ns("server", trial.n) + int(t * NS), **used,
        processes=strategy.workers, threads=strategy.workers, rss_bytes=rss, fds=held + 5, edges_only=False,
        minor_faults=5000, major_faults=0, voluntary_switches=1000, involuntary_switches=50,
        foreign_ns=int(foreign_s * NS), steal_ns=0, throttled_ns=0,
        established=held, open=held, accepted=held, accepted_by=part, bytes_in=0, bytes_out=0,
        accept_queue=queue, accept_queues=[[queue, BACKLOG]], kernel=kernel or {},
    )  # fmt: skip


def done(
    host: str,
    n: int,
    armed: int,
    total: dict[str, int],
    histograms: dict[str, npt.NDArray[np.float64]],
    own: Event,
    errors: Sequence[Event] = (),
    ceiling: Event | None = None,
) -> Event:
    """What a client says at its end; `own` of itself, `total` of the requests of the window."""
    none_of = dict.fromkeys(("truncated", "duplicated", "reordered", "crossed", "foreign", "late"), 0)
    return event(
        "done", host, n, first_send_ns=go_ns(host, n) + 1_000_000, last_send_ns=go_ns(host, n) + own["wall_ns"],
        surplus=0, integrity={"corrupt": total["mismatched"], **none_of}, over_60s=dict.fromkeys(OVER, 0),
        connections={"armed": armed, "open": armed, "lost": 0}, errors=list(errors), hostile=None, ceiling=ceiling,
        totals={"warmup": dict.fromkeys(total, 0), "load": total},
        **{kind: encode(histograms.get(kind, NOTHING)) for kind in ("service", "lag", "connect", "loop_lag")},
        self=own,
    )  # fmt: skip


def own_report(
    wall_s: float, cpu_share: float, gap_ns: int, total: dict[str, int], gaps_ns: npt.NDArray[np.float64]
) -> Event:
    """What a generator used and met: `cpu_share` of one CPU, the longest turn of its loop, gaps between its sends."""
    wall_ns = int(wall_s * NS)
    cpu_ns = int(wall_ns * cpu_share * 0.5)
    return {
        "processes": 1, "wall_ns": wall_ns, "cpu_user_ns": cpu_ns, "cpu_system_ns": cpu_ns,
        "max_rss_bytes": 9_000_000, "max_loop_gap_ns": gap_ns, "gc_pause_ns": 100_000, "gc_cycles": 1,
        "steal_ns": 0, "throttled_ns": 0, "sent_per_s": total["sent"] / wall_s,
        "answered_per_s": total["answered"] / wall_s, "send_gaps_ns": gaps_ns.astype(int).tolist(), "kernel": {},
    }  # fmt: skip


def stopped(trial: Trial, held: int, echoed: int) -> Event:
    workers = STRATEGIES[trial.of.strategy].workers
    accepted = dict.fromkeys(("accepted", "peak", "closed"), held // workers)
    moved = dict.fromkeys(("bytes_in", "bytes_out"), echoed // workers)
    slots = [{"pid": 100 + i, **accepted, "open": 0, **moved, "limit_code": 0} for i in range(workers)]
    end_ns = go_ns("server", trial.n) + 30 * NS
    return event("stopped", "server", trial.n, t=end_ns, workers=slots, exit=0, signal=None, rusage=USAGE)


def ended(
    trial: Trial, outcome: str, reason: str | None, held: int, counts: Event, whole: dict[str, int] | None
) -> Event:
    of, is_loaded = trial.of, whole is not None
    return result(
        trial.n, trial.cell, block=trial.block, kind="measure", control=of.control, strategy=of.strategy,
        outcome=outcome, reason=reason, asked={"connections": of.connections, "rate": of.rate}, held=held,
        proof={"barrier": counts, "end": counts if is_loaded else None}, start_skew_ms=0.4 if is_loaded else None,
        go_ns=go_ns("controller", trial.n) if is_loaded else None,
        window={"start_ns": 0, "end_ns": of.duration * NS} if is_loaded else None,
        counts=whole, phases_s=phases(2.0, of.duration), ceiling=None,
    )  # fmt: skip


def result(n: int, cell: str, **fields: Any) -> Event:
    """The end of a trial: the event that carries its trial.json."""
    own = {"schema": 2, "run": RUN, "n": n, "cell": cell, **fields, "clocks": {}, "overhead_s": 0.9, "steps": None}
    return event("trial", "controller", n, state="ended", result=own)


def phases(arm_s: float, load_s: float) -> dict[str, float]:
    return {"start": 0.2, "arm": arm_s, "prove": 0.4, "load": float(load_s), "drain": 0.1, "stop": 0.1}
