"""The plan as rows: what was asked for in each trial, under the names of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.ingest.events import Log
from analysis.ingest.fields import count
from contracts.declared import KERNEL, LOAD, PARAMETERS, SERVER, WORKLOADS, Workload

OWN_SERVER = "own server"


def traits(workload: object) -> Workload:
    """The traits of a workload; of an unknown one those of the usual load."""
    return WORKLOADS.get(str(workload), WORKLOADS["open"])


def unsaid(name: str) -> int | float | None:
    """The value of a parameter that a plan is too old to name: the number that is its default."""
    parameter = PARAMETERS[name]
    is_number = parameter.kind in ("whole", "seconds") and not isinstance(parameter.default, str)
    return parameter.default if is_number else None


def plan_rows(log: Log) -> list[dict[str, Any]]:
    """One row per planned trial. Trials of a block are in random order, so the order of the plan is that of its cells.
    A calibration measures no server and has no row; of several trials of one number only the first: what was recorded
    under it is one measurement."""
    once: dict[int | None, dict[str, Any]] = {}
    for trial in log.planned:
        once.setdefault(trial["n"], trial)
    return [_row(log.run, trial) | _asked_port(trial, once) for trial in once.values()]


def _asked_port(trial: dict[str, Any], trials: Mapping[int | None, dict[str, Any]]) -> dict[str, int]:
    """Of a duet the port that was asked for: which of the two listened behind it was left to chance."""
    both = [trial, trials.get(count(trial.get("beside")), trial)]
    ports = [port for one in both if (port := count(one["server"].get("server_port"))) is not None]
    return {"server_port": min(ports)} if ports else {}


def _row(run: str, trial: dict[str, Any]) -> dict[str, Any]:
    server, load = trial["server"], trial["load"]
    hostile = load.get("hostile")
    return {
        "run": run, "trial": trial["n"], "block": trial["block"], "cell": trial["cell"],
        "control": trial.get("control") is True,
        "null": trial.get("null"), "beside": count(trial.get("beside")),
        **{name: server.get(name, unsaid(name)) for name in SERVER},
        **{name: load.get(name, unsaid(name)) for name in LOAD},
        **{name: trial.get(name) for name in KERNEL},
        "strategy": server.get("strategy") or OWN_SERVER,
        # As a person gives it on the command line.
        "hostile": f"{hostile.get('kind')}:{hostile.get('connections')}" if isinstance(hostile, dict) else None,
    }  # fmt: skip
