"""The events of a synthetic trial, in the order in which a real one writes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.demo.histogram import encode
from analysis.demo.truth import CLIENTS, STRATEGIES, Trial, Truth

NS = 1_000_000_000
CONNECT_RATE, BACKLOG, PAYLOAD_BYTES = 5000, 4096, 64
MISSING = ("timed_out", "censored", "dropped", "mismatched", "failed")
# Every host's clock is far from the others': nothing may work only because they agree.
CLOCK_NS = {"server": 86_400 * NS, "client1": 5 * NS, "client2": 777 * NS, "client3": 3 * NS, "controller": 50 * NS}

Event = dict[str, Any]


def go_ns(host: str, n: int) -> int:
    """When trial n begins, in the host's clock."""
    return CLOCK_NS[host] + n * 60 * NS


def planned(told: Truth, trial: Trial | None) -> Event:
    """The trial as the plan has it; without one the calibration at the end."""
    cell = trial.of if trial else None
    load = {
        "workload": cell.workload if cell else "calibrate",
        "connections": cell.connections if cell else 3,
        "active": cell.active if cell else 3,
        "rate": cell.rate if cell else 0,
        "requests": None,
        "arrival": "poisson",
        "payload_bytes": PAYLOAD_BYTES,
        "pipeline": 1,
        "think_time": 0,
        "steps": cell.steps if cell else 1,
        "hostile": None,
        "connect_rate": CONNECT_RATE,
        "warmup": 0,
        "duration": cell.duration if cell else 1,
        "timeout": 5,
        "arm_timeout": 30,
        "generator": "go",
        "seed": told.seed,
    }
    strategy = cell.strategy if cell else "null_server"
    workers = STRATEGIES[strategy].workers if cell else 1
    server = {"strategy": strategy, "command": None, "port": 9000, "ports": 1, "backlog": BACKLOG, "workers": workers}
    n = trial.n if trial else len(told.trials) + 1
    return {
        "n": n,
        "block": trial.block if trial else 1,
        "cell": trial.cell if trial else "calibration",
        "kind": "measure" if trial else "calibration",
        "control": trial.of.control if trial else False,
        "server": server,
        "load": load,
    }


def of_trial(told: Truth, trial: Trial) -> list[Event]:
    """All of one trial; and after the last the calibration."""
    draw = np.random.default_rng([told.seed, trial.n])
    plan, n = planned(told, trial), trial.n
    shares = {
        name: {
            "connections": _part(trial.of.connections, i),
            "active": _part(trial.of.active, i),
            "rate_per_s": _part(trial.of.rate, i),
        }
        for i, name in enumerate(CLIENTS)
    }
    lines = [
        _event("trial", "controller", n, state="started", n=n, server=plan["server"], load=plan["load"], shares=shares)
    ]
    clocks = {host: {"offset_ns": CLOCK_NS[host] - CLOCK_NS["controller"], "bound_ns": 90_000} for host in told.hosts}
    lines.append(_event("clocks", "controller", n, when="before", clocks=clocks))
    lines.append(_event("listening", "server", n, addresses=["198.18.0.10:9000"], backlog=BACKLOG))
    lines += _arming(told, trial, shares)
    if STRATEGIES[trial.of.strategy].limit:
        lines += _limited(trial)
    else:
        lines += _loaded(told, trial, shares, draw)
    lines.append(_event("clocks", "controller", n, when="after", clocks=clocks))
    return lines + (_calibration(told) if n == len(told.trials) else [])


def _event(name: str, host: str, number: int, /, **fields: Any) -> Event:
    return {"event": name, **fields, "host": host, "trial": number, "at": number * 60 * NS}


def _part(total: int, i: int) -> int:
    """The share of client i of three, by largest remainder."""
    return total // 3 + (i < total % 3)


def _arming(told: Truth, trial: Trial, shares: Event) -> list[Event]:
    """Connections come at the paced rate; where the accept queue overflows some come a second later."""
    n, is_full = trial.n, told.fault == "overflow"
    lines = [
        _event(
            "armed",
            host,
            n,
            connected=share["connections"],
            verified=share["connections"],
            failed={},
            retries=0,
            syn_retries={"1": 40 if is_full else 0, "2": 0, "3": 0},
        )
        for host, share in shares.items()
    ]
    strategy = STRATEGIES[trial.of.strategy]
    held = min(trial.of.connections, strategy.limit[1] if strategy.limit else trial.of.connections)
    for t in range(-4, 0):
        open_now = int(min(held, max(0, (t + 3) * CONNECT_RATE)))
        kernel = {"TcpExt.ListenOverflows": 120, "TcpExt.ListenDrops": 120} if is_full and t >= -2 else {}
        lines.append(_sample(trial, t, 0.05, 0.05, open_now, kernel, queue=BACKLOG if is_full and t == -2 else 3))
    counts = {"kernel": held, "server": held, "clients": held}
    if trial.of.workload == "ramp":
        for step in range(1, trial.of.steps + 1):
            size = trial.of.connections * step // trial.of.steps
            lines.append(
                _event(
                    "step", "controller", n, n=step, connections=size, arm_s=0.2, kernel=size, server=size, clients=size
                )
                | {"n": step}
            )
    return [*lines, _event("proof", "controller", n, when="barrier", **counts)]


def _sample(
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
    return _event(
        "sample",
        "server",
        trial.n,
        t=go_ns("server", trial.n) + int(t * NS),
        processes=strategy.workers,
        cpu_user_ns=int(user_s * NS),
        cpu_system_ns=int(system_s * NS),
        rss_bytes=rss,
        threads=strategy.workers,
        fds=held + 5,
        minor_faults=5000,
        major_faults=0,
        voluntary_switches=1000,
        involuntary_switches=50,
        foreign_ns=int(foreign_s * NS),
        edges_only=False,
        agent_ns=int((t + 5) * 2_000_000),
        steal_ns=0,
        throttled_ns=0,
        established=held,
        accept_queue=queue,
        accept_queues=[[queue, BACKLOG]],
        open=held,
        accepted=held,
        bytes_in=0,
        bytes_out=0,
        accepted_by=part,
        kernel=kernel or {},
    )


def _limited(trial: Trial) -> list[Event]:
    limit = STRATEGIES[trial.of.strategy].limit
    assert limit
    counts = {"kernel": limit[1], "server": limit[1], "clients": limit[1]}
    return [
        _event("limit", "server", trial.n, resource=limit[0], held=limit[1]),
        _stopped(trial, limit[1], 0),
        _ended(trial, "dnf", f"the strategy reached its limit {limit[0]}", limit[1], counts, None),
    ]


def _loaded(told: Truth, trial: Trial, shares: Event, draw: np.random.Generator) -> list[Event]:
    n, cell = trial.n, trial.of
    lines = [
        _event(
            "went", "controller", n, at_ns={host: go_ns(host, n) for host in told.hosts}, go_ns=go_ns("controller", n)
        )
    ]
    totals = {host: dict.fromkeys(("planned", "sent", "answered", *MISSING), 0) for host in CLIENTS}
    cpu = 0.0
    strategy = STRATEGIES[cell.strategy]
    kernel = {"TcpExt.ListenOverflows": 120, "TcpExt.ListenDrops": 120} if told.fault == "overflow" else {}
    for k in range(cell.duration):
        foreign = 0.25 * k if told.fault == "noisy_neighbour" else 0.0
        lines.append(
            _sample(
                trial,
                k,
                0.1 + cpu * strategy.user_share,
                0.1 + cpu * (1 - strategy.user_share),
                cell.connections,
                kernel,
                foreign_s=foreign,
            )
        )
        for host in CLIENTS:
            counts, response = _second(told, trial, host, k, draw.poisson(shares[host]["rate_per_s"]), draw)
            for name, value in counts.items():
                totals[host][name] += value
            cpu += counts["answered"] * trial.cpu_us / 1e6
            lines.append(_event("interval", host, n, k=k, phase="load", **counts, response=encode(response)))
    foreign = 0.25 * cell.duration if told.fault == "noisy_neighbour" else 0.0
    lines.append(
        _sample(
            trial,
            cell.duration,
            0.1 + cpu * strategy.user_share,
            0.1 + cpu * (1 - strategy.user_share),
            cell.connections,
            kernel,
            foreign_s=foreign,
        )
    )
    lines += [_done(told, trial, host, shares[host], totals[host], draw) for host in CLIENTS]
    counts = {"kernel": cell.connections, "server": cell.connections, "clients": cell.connections}
    lines.append(_event("proof", "controller", n, when="end", **counts))
    whole = {name: sum(total[name] for total in totals.values()) for name in totals["client1"]}
    echoed = (whole["answered"] + whole["mismatched"]) * PAYLOAD_BYTES
    wrong = whole["mismatched"]
    outcome = "invalid" if wrong else "ok"
    reason = f"{wrong} replies were not the expected record" if wrong else None
    return [
        *lines,
        _stopped(trial, cell.connections, echoed),
        _ended(trial, outcome, reason, cell.connections, counts, whole),
    ]


def _second(
    told: Truth, trial: Trial, host: str, k: int, planned_now: int, draw: np.random.Generator
) -> tuple[dict[str, int], np.ndarray]:
    """The counts of one second, and the responses of those answered."""
    counts = dict.fromkeys(("planned", "sent", "answered", *MISSING), 0) | {
        "planned": planned_now,
        "sent": planned_now,
        "answered": planned_now,
    }
    median = trial.median_ns * (1 + 0.08 * k if told.fault == "drift" else 1)
    if told.fault == "saturated_generator":
        counts["dropped"] = planned_now // 20
        counts["sent"] = counts["answered"] = planned_now - counts["dropped"]
        median += 20e6  # the wait in the generator counts, from the intended time
    if told.fault == "corrupt" and host == "client2" and k == 1 and trial.of.strategy == "epoll_edge":
        counts["mismatched"], counts["answered"] = 1, planned_now - 1
    response = np.exp(draw.normal(np.log(median), STRATEGIES[trial.of.strategy].sigma, counts["answered"]))
    if told.fault == "bad_client" and host == "client2":
        response[draw.random(len(response)) < 0.03] *= 20
    return counts, response


def _done(
    told: Truth, trial: Trial, host: str, share: Event, total: dict[str, int], draw: np.random.Generator
) -> Event:
    is_full = told.fault == "saturated_generator"
    lag = np.exp(draw.normal(np.log(20e6 if is_full else 15e3), 0.5, total["sent"]))
    service = np.exp(draw.normal(np.log(trial.median_ns), STRATEGIES[trial.of.strategy].sigma, total["answered"]))
    connect = np.exp(draw.normal(np.log(200e3), 0.5, share["connections"]))
    if told.fault == "overflow":
        connect[: len(connect) // 20] += 1e9
    gaps = draw.exponential(1e9 / max(1, share["rate_per_s"]), 400).astype(int)
    wall = trial.of.duration * NS
    mismatched = total["mismatched"]
    errors = []
    if told.fault == "ports" and host == "client1":
        errors = [
            {
                "phase": "connect",
                "cause": "ports",
                "blame": "host",
                "errno": 99,
                "count": 12,
                "first": "cannot assign requested address",
            }
        ]
    own = {
        "processes": 1,
        "wall_ns": wall,
        "cpu_user_ns": int(wall * (0.7 if is_full else 0.1)),
        "cpu_system_ns": int(wall * (0.28 if is_full else 0.1)),
        "max_rss_bytes": 9_000_000,
        "max_loop_gap_ns": 40_000_000 if is_full else 900_000,
        "gc_pause_ns": 100_000,
        "gc_cycles": 1,
        "steal_ns": 0,
        "throttled_ns": 0,
        "sent_per_s": total["sent"] / trial.of.duration,
        "answered_per_s": total["answered"] / trial.of.duration,
        "send_gaps_ns": gaps.tolist(),
        "kernel": {},
    }
    integrity = dict.fromkeys(("corrupt", "truncated", "duplicated", "reordered", "crossed", "foreign", "late"), 0) | {
        "corrupt": mismatched
    }
    return _event(
        "done",
        host,
        trial.n,
        first_send_ns=go_ns(host, trial.n) + 1_000_000,
        last_send_ns=go_ns(host, trial.n) + wall,
        surplus=0,
        integrity=integrity,
        connections={"armed": share["connections"], "open": share["connections"], "lost": 0},
        errors=errors,
        hostile=None,
        ceiling=None,
        totals={"warmup": dict.fromkeys(total, 0), "load": total},
        service=encode(service),
        lag=encode(lag),
        connect=encode(connect),
        loop_lag=encode(lag),
        self=own,
    )


def _stopped(trial: Trial, held: int, echoed: int) -> Event:
    workers = STRATEGIES[trial.of.strategy].workers
    slots = [
        {
            "pid": 100 + i,
            "accepted": held // workers,
            "open": 0,
            "peak": held // workers,
            "closed": held // workers,
            "bytes_in": echoed // workers,
            "bytes_out": echoed // workers,
            "limit_code": 0,
        }
        for i in range(workers)
    ]
    usage = {
        "cpu_user_ns": 0,
        "cpu_system_ns": 0,
        "max_rss_bytes": 0,
        "minor_faults": 0,
        "major_faults": 0,
        "voluntary_switches": 0,
        "involuntary_switches": 0,
    }
    return _event(
        "stopped",
        "server",
        trial.n,
        t=go_ns("server", trial.n) + 30 * NS,
        workers=slots,
        exit=0,
        signal=None,
        rusage=usage,
    )


def _ended(
    trial: Trial, outcome: str, reason: str | None, held: int, counts: Event, whole: dict[str, int] | None
) -> Event:
    window = None if whole is None else {"start_ns": 0, "end_ns": trial.of.duration * NS}
    result = {
        "schema": 1,
        "run": "20260101T000000Z-de3000",
        "n": trial.n,
        "cell": trial.cell,
        "block": trial.block,
        "kind": "measure",
        "control": trial.of.control,
        "strategy": trial.of.strategy,
        "outcome": outcome,
        "reason": reason,
        "validity": "valid",
        "asked": {"connections": trial.of.connections, "rate": trial.of.rate},
        "proof": {"barrier": counts, "end": counts if whole else None},
        "held": held,
        "start_skew_ms": 0.4 if whole else None,
        "clocks": {},
        "go_ns": go_ns("controller", trial.n) if whole else None,
        "window": window,
        "counts": whole,
        "phases_s": {
            "start": 0.2,
            "arm": 2.0,
            "prove": 0.4,
            "load": float(trial.of.duration),
            "drain": 0.1,
            "stop": 0.1,
        },
        "overhead_s": 0.9,
        "steps": None,
        "ceiling": None,
        "findings": [],
    }
    return _event("trial", "controller", trial.n, state="ended", result=result)


def _calibration(told: Truth) -> list[Event]:
    """What each client can send at all."""
    n = len(told.trials) + 1
    plan = planned(told, None)
    ceiling = {host: {"sends_per_s": 200_000.0, "sends_per_cpu_s": 400_000.0} for host in CLIENTS}
    result = {
        "schema": 1,
        "run": told.run,
        "n": n,
        "cell": "calibration",
        "block": 1,
        "kind": "calibration",
        "control": False,
        "strategy": "null_server",
        "outcome": "ok",
        "reason": None,
        "validity": "valid",
        "ceiling": ceiling,
        "findings": [],
    }
    return [
        _event("trial", "controller", n, state="started", server=plan["server"], load=plan["load"], shares={}),
        _event("trial", "controller", n, state="ended", result=result),
    ]
