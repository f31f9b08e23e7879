"""The specification of each agent, and how long each part of a trial may take. Pure."""

import json
from dataclasses import dataclass
from typing import Any

from conductor.plan import RUN_ID, Host, Plan, Trial
from conductor.shares import Share

HELLO_S = 15.0
CLOCK_S = 10.0
STOP_S = 5.0
COUNT_S = 5.0
# Processes that the kernel can end per second, at least: a fork-per-connection server needs this long to stop.
ENDED_PER_S = 500
# Sockets that a host under load lists per second, at least.
COUNTED_PER_S = 50_000
# Nobody knows beforehand how long a number of requests takes; the longest window bounds it.
LONGEST_WINDOW_S = 86_400


@dataclass(frozen=True)
class Bounds:
    """The longest that each part of a trial may take, in seconds; no wait is without one.

    `arm_s` is that of one order to arm; `count_s` of one look at the server's sockets; `steps_s` is what all steps of a
    ramp add. `answer_s`: without any answer while requests go on; a second of theirs is told a timeout later.
    """

    listen_s: float
    arm_s: float
    prove_s: float
    count_s: float
    load_s: float
    answer_s: float
    steps_s: float
    stop_s: float

    @property
    def lifetime_s(self) -> float:
        """How long an agent may live at all: every part at its longest, the second proof and clock too, and 30 s."""
        armed_s = HELLO_S + CLOCK_S + self.listen_s + self.arm_s + self.steps_s
        return armed_s + 2 * (self.prove_s + self.count_s) + self.load_s + CLOCK_S + self.stop_s + 30


def bounds(trial: Trial) -> Bounds:
    load = trial.load
    window_s = LONGEST_WINDOW_S if load.requests else load.duration
    arm_s, prove_s = load.arm_timeout + load.ramp_s + 5, load.arm_timeout + 5
    return Bounds(
        listen_s=trial.server.listen_timeout + 3,
        arm_s=arm_s,
        prove_s=prove_s,
        count_s=COUNT_S + load.connections / COUNTED_PER_S,
        load_s=load.warmup + window_s + load.timeout + 5,
        answer_s=2 * load.timeout + 5,
        steps_s=load.steps * (arm_s + prove_s) + load.steps_held_s if load.climbs else 0,
        stop_s=STOP_S + load.connections / ENDED_PER_S,
    )


def estimate_s(plan: Plan) -> float:
    """How long the whole run takes if all goes well: window, ramp, a second and a half a trial; a search its budget."""
    return sum(
        trial.search.budget_s if trial.search
        else trial.load.warmup + trial.load.duration + trial.load.ramp_s + trial.load.steps_held_s + 1.5
        for trial, *_ in plan.turns
    )  # fmt: skip


def run_number(run: str, n: int) -> int:
    """The record's `run` field: the hex digits of the run id, and the trial in the highest byte."""
    match = RUN_ID.fullmatch(run)
    assert match, run
    return int(match[1], 16) + (n % 256 << 24)


def agent_argv(plan: Plan, trial: Trial, host: Host, share: Share | None) -> list[str]:
    """The command line of a host's agent; `share` is None for the server."""
    spec = server_spec(plan, trial) if share is None else generator_spec(plan, trial, host, share)
    if share is None:
        program = [host.python, "-m", "server"]
    elif trial.load.program.program == "loadgen":
        program = ["./loadgen"]
    else:
        program = [host.python, "-m", "pyloadgen"]
    return [*program, "agent", "--spec", json.dumps(spec, separators=(",", ":"))]


def _common(plan: Plan, trial: Trial, host: Host) -> dict[str, Any]:
    return {
        "version": 2,
        "run": plan.run,
        "trial": trial.n,
        "host": host.name,
        "dir": plan.trial_dir(host, trial.n),
        "cpus": host.cpus,
        "lifetime_s": bounds(trial).lifetime_s,
    }


def server_spec(plan: Plan, trial: Trial) -> dict[str, Any]:
    host = plan.server
    return _common(plan, trial, host) | {
        "agent_cpus": host.agent_cpus,
        "address": host.load_address,
        "connections": trial.load.connections,
        "server": trial.server.given,
        "interpreter": (host.interpreters or {}).get(str(trial.server.given.get("python"))),
    }


def generator_spec(plan: Plan, trial: Trial, host: Host, share: Share) -> dict[str, Any]:
    address = plan.server.load_address
    to = f"[{address}]" if ":" in address else address
    return _common(plan, trial, host) | {
        "run_number": run_number(plan.run, trial.n),
        "targets": [f"{to}:{port}" for port in trial.server.ports],
        "sources": host.sources,
        "first_connection": share.first_connection,
        "phase": share.phase,
        "processes": None,
        "load": {**trial.load.given, **share.load},
    }
