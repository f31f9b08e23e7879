"""Plans of earlier versions as the newest one: for the conductor, and for whoever reads an old run. Pure."""

from __future__ import annotations

from typing import Any

RENAMED = {"command": "server_command", "port": "server_port", "ports": "server_ports"}
CALIBRATION_S = 1


def newest(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan document of version 1 as one of version 2; any other is returned as it is.

    Version 1 has other names in `server`, and its reader had to know that neither `requests` nor a calibration has a
    warm-up. KeyError, TypeError or AttributeError where the document is no plan at all.
    """
    if plan.get("version") != 1:
        return plan
    return {**plan, "version": 2, "trials": [_trial(trial) for trial in plan["trials"]]}


def _trial(trial: dict[str, Any]) -> dict[str, Any]:
    server = {RENAMED.get(name, name): value for name, value in trial["server"].items()}
    load = dict(trial["load"])
    if load.get("workload") == "calibrate":
        load.update(warmup=0, duration=CALIBRATION_S)
    if load.get("requests"):
        load["warmup"] = 0
    return {**trial, "server": server, "load": load}
