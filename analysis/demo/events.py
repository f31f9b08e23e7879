"""The events of a synthetic trial, in the order in which a real one writes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analysis.demo.histogram import encode
from analysis.demo.records import (
    BACKLOG,
    CLOCK_NS,
    NS,
    Event,
    done,
    ended,
    event,
    go_ns,
    own_report,
    part,
    phases,
    result,
    sample,
    stopped,
)  # fmt: skip
from analysis.demo.truth import CLIENTS, STRATEGIES, Trial, Truth
from contracts.declared import LOAD, PARAMETERS, SERVER

CONNECT_RATE, PAYLOAD_BYTES = PARAMETERS["connect_rate"].default, PARAMETERS["payload_bytes"].default
OF_A_CELL = ("workload", "connections", "active", "rate", "steps", "duration")
MISSING = ("timed_out", "censored", "dropped", "mismatched", "failed")
CEILING_PER_S = 200_000
NO_PORT = {
    "phase": "connect", "cause": "ports", "blame": "host", "errno": 99, "count": 12,
    "first": "cannot assign requested address",
}  # fmt: skip


def _defaults(names: Sequence[str]) -> Event:
    return {name: PARAMETERS[name].default for name in names}


def planned(told: Truth, trial: Trial | None) -> Event:
    """The trial as the plan has it; without one the calibration at the end."""
    cell = trial.of if trial else None
    strategy = cell.strategy if cell else "null_server"
    workers = STRATEGIES[strategy].workers if cell else 1
    server = _defaults(SERVER) | {"strategy": strategy, "workers": workers}
    load = _defaults(LOAD) | {"warmup": 0, "seed": told.seed}
    if cell:
        load |= {
            name: getattr(cell, name) for name in ("workload", "connections", "active", "rate", "steps", "duration")
        }
    else:
        load |= {"workload": "calibrate", "connections": 3, "active": 3, "rate": 1, "steps": 1, "duration": 1}
    n = trial.n if trial else len(told.trials) + 1
    own = {"n": n, "block": trial.block if trial else 1, "cell": trial.cell if trial else "calibration"}
    own |= {"kind": "measure" if trial else "calibration", "control": trial.of.control if trial else False}
    return own | {"server": server, "load": load}


def of_trial(told: Truth, trial: Trial) -> list[Event]:
    """All of one trial; and after the last the calibration."""
    draw = np.random.default_rng([told.seed, trial.n])
    plan, n = planned(told, trial), trial.n
    shares = {
        name: {
            "connections": part(trial.of.connections, i),
            "active": part(trial.of.active, i),
            "rate": part(trial.of.rate, i),
        }
        for i, name in enumerate(CLIENTS)
    }
    lines = [
        event("trial", "controller", n, state="started", n=n, server=plan["server"], load=plan["load"], shares=shares)
    ]
    clocks = {host: {"offset_ns": CLOCK_NS[host] - CLOCK_NS["controller"], "bound_ns": 90_000} for host in told.hosts}
    lines.append(event("clocks", "controller", n, when="before", clocks=clocks))
    lines.append(event("listening", "server", n, addresses=["198.18.0.10:9000"], backlog=BACKLOG))
    lines += _arming(told, trial, shares)
    if STRATEGIES[trial.of.strategy].limit:
        lines += _limited(trial)
    else:
        lines += _loaded(told, trial, shares, draw)
    lines.append(event("clocks", "controller", n, when="after", clocks=clocks))
    return lines + (_calibration(told) if n == len(told.trials) else [])


def _arming(told: Truth, trial: Trial, shares: Event) -> list[Event]:
    """Connections come at the paced rate; where the accept queue overflows some come a second later."""
    n, strategy = trial.n, STRATEGIES[trial.of.strategy]
    # One that stops at its limit takes no more, so its queue fills for another reason.
    is_full = told.fault == "overflow" and not strategy.limit
    waited = {"1": 40 if is_full else 0, "2": 0, "3": 0}
    lines = [
        event("armed", host, n, connected=size, verified=size, failed={}, retries=0, syn_retries=waited)
        for host, size in ((host, share["connections"]) for host, share in shares.items())
    ]
    held = min(trial.of.connections, strategy.limit[1] if strategy.limit else trial.of.connections)
    for t in range(-4, 0):
        open_now = int(min(held, max(0, (t + 3) * CONNECT_RATE)))
        kernel = {"TcpExt.ListenOverflows": 120, "TcpExt.ListenDrops": 120} if is_full and t >= -2 else {}
        lines.append(sample(trial, t, 0.05, 0.05, open_now, kernel, queue=BACKLOG if is_full and t == -2 else 3))
    counts = {"kernel": held, "server": held, "clients": held}
    if trial.of.workload == "ramp":
        for step in range(1, trial.of.steps + 1):
            size = trial.of.connections * step // trial.of.steps
            counted = dict.fromkeys(("connections", "kernel", "server", "clients"), size)
            lines.append(event("step", "controller", n, **counted, arm_s=0.2) | {"n": step})
    return [*lines, event("proof", "controller", n, when="barrier", **counts)]


def _limited(trial: Trial) -> list[Event]:
    limit = STRATEGIES[trial.of.strategy].limit
    assert limit
    counts = {"kernel": limit[1], "server": limit[1], "clients": limit[1]}
    return [
        event("limit", "server", trial.n, resource=limit[0], held=limit[1]),
        stopped(trial, limit[1], 0),
        ended(trial, "dnf", f"the strategy reached its limit {limit[0]}", limit[1], counts, None),
    ]


def _loaded(told: Truth, trial: Trial, shares: Event, draw: np.random.Generator) -> list[Event]:
    n, cell = trial.n, trial.of
    at_ns = {host: go_ns(host, n) for host in told.hosts}
    lines = [event("went", "controller", n, at_ns=at_ns, go_ns=go_ns("controller", n))]
    totals = {host: nothing() for host in CLIENTS}
    cpu = 0.0
    kernel = {"TcpExt.ListenOverflows": 120, "TcpExt.ListenDrops": 120} if told.fault == "overflow" else {}
    for k in range(cell.duration):
        lines.append(_used(told, trial, k, cpu, kernel))
        for host in CLIENTS:
            counts, response = _second(told, trial, host, k, draw.poisson(shares[host]["rate"]), draw)
            for name, value in counts.items():
                totals[host][name] += value
            cpu += counts["answered"] * trial.cpu_us / 1e6
            lines.append(event("interval", host, n, k=k, phase="load", **counts, response=encode(response)))
    lines.append(_used(told, trial, cell.duration, cpu, kernel))
    lines += [_client(told, trial, host, shares[host], totals[host], draw) for host in CLIENTS]
    counts = {"kernel": cell.connections, "server": cell.connections, "clients": cell.connections}
    lines.append(event("proof", "controller", n, when="end", **counts))
    whole = {name: sum(total[name] for total in totals.values()) for name in totals["client1"]}
    echoed = (whole["answered"] + whole["mismatched"]) * PAYLOAD_BYTES
    wrong = whole["mismatched"]
    outcome = "invalid" if wrong else "ok"
    reason = f"{wrong} replies were not the expected record" if wrong else None
    return [
        *lines,
        stopped(trial, cell.connections, echoed),
        ended(trial, outcome, reason, cell.connections, counts, whole),
    ]


def _used(told: Truth, trial: Trial, t: int, cpu_s: float, kernel: Event) -> Event:
    """The server's sample t seconds after go; in `foreign_s` a neighbour, where that is the fault."""
    user, foreign = STRATEGIES[trial.of.strategy].user_share, 0.25 * t if told.fault == "noisy_neighbour" else 0.0
    used = (0.1 + cpu_s * user, 0.1 + cpu_s * (1 - user))
    return sample(trial, t, *used, trial.of.connections, kernel, foreign_s=foreign)


def _second(
    told: Truth, trial: Trial, host: str, k: int, planned_now: int, draw: np.random.Generator
) -> tuple[dict[str, int], np.ndarray]:
    """The counts of one second, and the responses of those answered."""
    counts = nothing() | dict.fromkeys(("planned", "sent", "answered"), planned_now)
    median = trial.median_ns * (1 + 0.08 * k if told.fault == "drift" else 1)
    if told.fault == "saturated_generator":
        counts["dropped"] = planned_now // 20
        counts["sent"] = counts["answered"] = planned_now - counts["dropped"]
        median += 20e6  # the wait in the generator counts, from the intended time
    if told.fault == "corrupt" and host == "client2" and k == 1 and trial.of.strategy == "epoll_edge":
        counts["mismatched"], counts["answered"] = 1, planned_now - 1
    response = lognormal(draw, median, STRATEGIES[trial.of.strategy].sigma, counts["answered"])
    if told.fault == "bad_client" and host == "client2":
        response[draw.random(len(response)) < 0.03] *= 20
    return counts, response


def _client(
    told: Truth, trial: Trial, host: str, share: Event, total: dict[str, int], draw: np.random.Generator
) -> Event:
    """A client's end: how late it sent, how long the server itself took, what connecting took."""
    is_saturated = told.fault == "saturated_generator"
    lag = lognormal(draw, 20e6 if is_saturated else 15e3, 0.5, total["sent"])
    service = lognormal(draw, trial.median_ns, STRATEGIES[trial.of.strategy].sigma, total["answered"])
    connect = lognormal(draw, 200e3, 0.5, share["connections"])
    if told.fault == "overflow":
        connect[: len(connect) // 20] += NS  # the kernel sends its SYN again after a second
    gaps = draw.exponential(NS / max(1, share["rate"]), 400)
    own = own_report(
        trial.of.duration, 0.98 if is_saturated else 0.2, 40_000_000 if is_saturated else 900_000, total, gaps
    )
    errors = [NO_PORT] if told.fault == "ports" and host == "client1" else []
    histograms = {"service": service, "lag": lag, "connect": connect, "loop_lag": lag}
    return done(host, trial.n, share["connections"], total, histograms, own, errors)


def lognormal(draw: np.random.Generator, median: float, sigma: float, n: int) -> npt.NDArray[np.float64]:
    """n values with this median and this spread of their logarithm."""
    return np.exp(draw.normal(np.log(median), sigma, n))


def _calibration(told: Truth) -> list[Event]:
    """What each client can send at all: a second as fast as it can, to a server that swallows."""
    n, plan = len(told.trials) + 1, planned(told, None)
    shares = {host: {"connections": 1, "active": 1, "rate": 0} for host in CLIENTS}
    none_of = nothing()
    own = own_report(1.0, 0.5, 900_000, none_of, np.array([]))
    sends = {"sends": CEILING_PER_S, "wall_ns": NS, "cpu_ns": NS // 2}
    ceiling = {name: {"sends_per_s": float(CEILING_PER_S), "sends_per_cpu_s": 2.0 * CEILING_PER_S} for name in CLIENTS}
    end = result(
        n, "calibration", block=plan["block"], kind="calibration", control=False, strategy="null_server",
        outcome="ok", reason=None, asked={"connections": len(CLIENTS), "rate": None}, held=None,
        proof={"barrier": None, "end": None}, start_skew_ms=0.4, go_ns=go_ns("controller", n),
        window={"start_ns": 0, "end_ns": NS}, counts=nothing(), phases_s=phases(0.2, 1.0), ceiling=ceiling,
    )  # fmt: skip
    return [
        event("trial", "controller", n, state="started", n=n, server=plan["server"], load=plan["load"], shares=shares)
        | {"n": n},
        *(done(host, n, 1, none_of, {}, own, ceiling=sends) for host in CLIENTS),
        end,
    ]


def nothing() -> dict[str, int]:
    """The counts of a client before its first request."""
    return dict.fromkeys(("planned", "sent", "answered", *MISSING), 0)
