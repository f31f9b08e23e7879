"""The single records of a synthetic trial, as agents and conductor write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.demo.histogram import encode
from analysis.demo.truth import RUN, STRATEGIES, Trial
from contracts.declared import INTEGRITY, PARAMETERS

NS = 1_000_000_000
BACKLOG, PAYLOAD_BYTES = PARAMETERS["backlog"].default, PARAMETERS["payload_bytes"].default
# Every host's clock is far from the others': nothing may work only because they agree.
CLOCK_NS = {"server": 86_400 * NS, "client1": 5 * NS, "client2": 777 * NS, "client3": 3 * NS, "controller": 50 * NS}

NOTHING = np.array([])
OVER = ("response", "service", "lag", "connect")
USAGE = ("cpu_user_ns", "cpu_system_ns", "max_rss_bytes", "minor_faults", "major_faults", "voluntary_switches",
         "involuntary_switches")  # fmt: skip

Event = dict[str, Any]


def go_ns(host: str, n: int) -> int:
    """When trial n begins, in the host's clock."""
    return CLOCK_NS[host] + n * 60 * NS


def event(name: str, host: str, number: int, /, **fields: Any) -> Event:
    return {"event": name, **fields, "host": host, "trial": number, "at": number * 60 * NS}


def part(total: int, i: int, of: int = 3) -> int:
    """The share of client i of three, by largest remainder."""
    return total // of + (i < total % of)


def proven(held: int) -> Event:
    """So many connections, counted three ways."""
    return dict.fromkeys(("kernel", "server", "clients"), held)


def sample(
    trial: Trial,
    t: float,
    used_s: tuple[float, float],
    held: int,
    kernel: Event,
    queue: int = 0,
    foreign_s: float = 0.0,
    echoed: int = 0,
) -> Event:
    """The server t seconds after go; `used_s` in user and in kernel mode, `echoed` requests so far."""
    strategy = STRATEGIES[trial.of.strategy]
    user_ns, system_ns = (int(used * NS) for used in used_s)
    return event(
        "sample", "server", trial.n, t=go_ns("server", trial.n) + int(t * NS), cpu_user_ns=user_ns,
        cpu_system_ns=system_ns, agent_ns=int((t + 5) * 2_000_000), processes=strategy.workers,
        threads=strategy.workers, rss_bytes=18_000_000 + int(held * strategy.bytes_per_connection), fds=held + 5,
        edges_only=False, minor_faults=5000, major_faults=0, voluntary_switches=1000, involuntary_switches=50,
        foreign_ns=int(foreign_s * NS), steal_ns=0, throttled_ns=0, established=held, open=held, accepted=held,
        accepted_by=[part(held, i, strategy.workers) for i in range(strategy.workers)],
        bytes_in=echoed * PAYLOAD_BYTES, bytes_out=echoed * PAYLOAD_BYTES,
        accept_queue=queue, accept_queues=[[queue, BACKLOG]], kernel=kernel,
    )  # fmt: skip


def done(
    host: str, n: int, armed: int, total: dict[str, int], histograms: dict[str, npt.NDArray[np.float64]], own: Event,
    errors: Sequence[Event] = (), ceiling: Event | None = None,
) -> Event:  # fmt: skip
    """What a client says at its end; `own` of itself, `total` of the requests of the window."""
    return event(
        "done", host, n, first_send_ns=go_ns(host, n) + 1_000_000, last_send_ns=go_ns(host, n) + own["wall_ns"],
        surplus=0, integrity={**dict.fromkeys(INTEGRITY, 0), "corrupt": total["mismatched"]},
        over_60s=dict.fromkeys(OVER, 0), connections={"armed": armed, "open": armed, "lost": 0}, errors=list(errors),
        hostile=None, ceiling=ceiling, totals={"warmup": dict.fromkeys(total, 0), "load": total},
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
    usage = dict.fromkeys(USAGE, 0)
    return event("stopped", "server", trial.n, t=end_ns, workers=slots, exit=0, signal=None, rusage=usage)


def ended(planned: Event, loaded_s: float | None, **fields: Any) -> Event:
    """The end of a trial: the event that carries its trial.json. `loaded_s`: none of a strategy at its limit."""
    n, load = planned["n"], planned["load"]
    own = {name: planned[name] for name in ("n", "cell", "block", "kind", "control")}
    phases = {"start": 0.2, "arm": 2.0, "prove": 0.4, "load": float(load["duration"]), "drain": 0.1}
    result = {
        "schema": 2, "run": RUN, **own, "strategy": planned["server"]["strategy"], "outcome": "ok", "reason": None,
        "asked": {name: load[name] for name in ("connections", "rate")}, "held": None,
        "proof": {"barrier": None, "end": None},
        "start_skew_ms": 0.4 if loaded_s else None, "go_ns": go_ns("controller", n) if loaded_s else None,
        "window": {"start_ns": 0, "end_ns": int(loaded_s * NS)} if loaded_s else None, "counts": None,
        "phases_s": {**phases, "stop": 0.1}, "ceiling": None, "clocks": {}, "overhead_s": 0.9, "steps": None, **fields,
    }  # fmt: skip
    return event("trial", "controller", n, state="ended", result=result)
