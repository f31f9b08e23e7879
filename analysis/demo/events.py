"""The events of a synthetic trial, in the order in which a real one writes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.demo.histogram import encode
from analysis.demo.records import (
    BACKLOG,
    CLOCK_NS,
    NS,
    PAYLOAD_BYTES,
    Event,
    done,
    ended,
    event,
    go_ns,
    own_report,
    part,
    proven,
    sample,
    stopped,
)  # fmt: skip
from analysis.demo.truth import CLIENTS, STRATEGIES, Cell, Trial, Truth
from contracts.declared import COUNTS, KERNEL, LOAD, PARAMETERS, SERVER
from contracts.stairs import stairs

CONNECT_RATE = PARAMETERS["connect_rate"].default
CEILING_PER_S = 200_000
CALIBRATION = Cell("null_server", "calibrate", connections=3, active=3, rate=1, duration=1, steps=1)
NO_PORT = {
    "phase": "connect", "cause": "ports", "blame": "host", "errno": 99, "count": 12,
    "first": "cannot assign requested address",
}  # fmt: skip


def planned(told: Truth, trial: Trial | None) -> Event:
    """The trial as the plan has it; without one the calibration at the end."""
    cell = trial.of if trial else CALIBRATION
    workers = STRATEGIES[cell.strategy].workers if trial else 1
    given = {name: parameter.default for name, parameter in PARAMETERS.items()}
    given |= vars(cell) | {"workers": workers, "warmup": 0}
    own = {"n": trial.n, "block": trial.block, "cell": trial.cell, "kind": "measure"} if trial else {
        "n": len(told.trials) + 1, "block": 1, "cell": "calibration", "kind": "calibration"
    }  # fmt: skip
    server, load = ({name: given[name] for name in names} for names in (SERVER, LOAD))
    kernel = {name: given[name] for name in KERNEL}
    return own | {"control": cell.control, **kernel, "server": server, "load": load | {"seed": told.seed}}


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
    lines = [_started(plan, shares)]
    clocks = {host: {"offset_ns": CLOCK_NS[host] - CLOCK_NS["controller"], "bound_ns": 90_000} for host in told.hosts}
    lines.append(event("clocks", "controller", n, when="before", clocks=clocks))
    lines.append(event("listening", "server", n, addresses=["198.18.0.10:9000"], backlog=BACKLOG))
    lines += _arming(told, trial, shares)
    if STRATEGIES[trial.of.strategy].limit:
        lines += _limited(plan, trial)
    else:
        lines += _loaded(told, plan, trial, shares, draw)
    lines.append(event("clocks", "controller", n, when="after", clocks=clocks))
    return lines + (_calibration(told) if n == len(told.trials) else [])


def _started(plan: Event, shares: Event) -> Event:
    told = event("trial", "controller", plan["n"], state="started", server=plan["server"], load=plan["load"])
    return told | {"n": plan["n"], "shares": shares}


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
        lines.append(sample(trial, t, (0.05, 0.05), open_now, kernel, queue=BACKLOG if is_full and t == -2 else 3))
    if trial.of.workload == "ramp":
        for step, size in enumerate(stairs(trial.of.connections, trial.of.steps), 1):
            lines.append(event("step", "controller", n, connections=size, **proven(size), arm_s=0.2) | {"n": step})
    return [*lines, event("proof", "controller", n, when="barrier", **proven(held))]


def _limited(plan: Event, trial: Trial) -> list[Event]:
    limit = STRATEGIES[trial.of.strategy].limit
    assert limit
    name, held = limit
    return [
        event("limit", "server", trial.n, resource=name, held=held),
        stopped(trial, held, 0),
        ended(
            plan, None, outcome="dnf", reason=f"the strategy reached its limit {name}", held=held,
            proof={"barrier": proven(held), "end": None},
        ),
    ]  # fmt: skip


def _loaded(told: Truth, plan: Event, trial: Trial, shares: Event, draw: np.random.Generator) -> list[Event]:
    n, cell = trial.n, trial.of
    at_ns = {host: go_ns(host, n) for host in told.hosts}
    lines = [event("went", "controller", n, at_ns=at_ns, go_ns=go_ns("controller", n))]
    totals = {host: dict.fromkeys(COUNTS, 0) for host in CLIENTS}
    cpu, echoed = 0.0, 0
    kernel = {"TcpExt.ListenOverflows": 120, "TcpExt.ListenDrops": 120} if told.fault == "overflow" else {}
    for k in range(cell.duration):
        lines.append(_used(told, trial, k, cpu, echoed, kernel))
        for host in CLIENTS:
            counts, response = _second(told, trial, host, k, draw.poisson(shares[host]["rate"]), draw)
            for name, value in counts.items():
                totals[host][name] += value
            cpu += counts["answered"] * trial.cpu_us / 1e6
            echoed += counts["answered"] + counts["mismatched"]
            lines.append(event("interval", host, n, k=k, phase="load", **counts, response=encode(response)))
    lines.append(_used(told, trial, cell.duration, cpu, echoed, kernel))
    lines += [_client(told, trial, host, shares[host], totals[host], draw) for host in CLIENTS]
    held, whole = proven(cell.connections), {name: sum(own[name] for own in totals.values()) for name in COUNTS}
    wrong = whole["mismatched"]
    return [
        *lines,
        event("proof", "controller", n, when="end", **held),
        stopped(trial, cell.connections, echoed * PAYLOAD_BYTES),
        ended(
            plan, cell.duration, outcome="invalid" if wrong else "ok",
            reason=f"{wrong} replies were not the expected record" if wrong else None, held=cell.connections,
            proof={"barrier": held, "end": held}, counts=whole,
        ),
    ]  # fmt: skip


def _used(told: Truth, trial: Trial, t: int, cpu_s: float, echoed: int, kernel: Event) -> Event:
    """The server's sample t seconds after go; in `foreign_s` a neighbour, where that is the fault."""
    user, foreign = STRATEGIES[trial.of.strategy].user_share, 0.25 * t if told.fault == "noisy_neighbour" else 0.0
    used = (0.1 + cpu_s * user, 0.1 + cpu_s * (1 - user))
    return sample(trial, t, used, trial.of.connections, kernel, foreign_s=foreign, echoed=echoed)


def _second(
    told: Truth, trial: Trial, host: str, k: int, planned_now: int, draw: np.random.Generator
) -> tuple[dict[str, int], np.ndarray]:
    """The counts of one second, and the responses of those answered."""
    counts = dict.fromkeys(COUNTS, 0) | dict.fromkeys(("planned", "sent", "answered", "arrived"), planned_now)
    median = trial.median_ns * (1 + 0.08 * k if told.fault == "drift" else 1)
    if told.fault == "saturated_generator":
        counts["dropped"] = counts["unsent_late"] = planned_now // 20
        counts["sent"] = counts["answered"] = counts["arrived"] = planned_now - counts["dropped"]
        median += 20e6  # the wait in the generator counts, from the intended time
    if told.fault == "corrupt" and host == "client2" and k == 1 and trial.of.strategy == "epoll_edge":
        counts["mismatched"], counts["answered"], counts["arrived"] = 1, planned_now - 1, planned_now - 1
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
    plan, none_of = planned(told, None), dict.fromkeys(COUNTS, 0)
    own = own_report(1.0, 0.5, 900_000, none_of, np.array([]))
    sends = {"sends": CEILING_PER_S, "wall_ns": NS, "cpu_ns": NS // 2}
    ceiling = {name: {"sends_per_s": float(CEILING_PER_S), "sends_per_cpu_s": 2.0 * CEILING_PER_S} for name in CLIENTS}
    return [
        _started(plan, {host: {"connections": 1, "active": 1, "rate": 0} for host in CLIENTS}),
        *(done(host, plan["n"], 1, none_of, {}, own, ceiling=sends) for host in CLIENTS),
        ended(plan, 1.0, asked={"connections": len(CLIENTS), "rate": None}, counts=none_of, ceiling=ceiling),
    ]
