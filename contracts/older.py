"""Plans of earlier versions as the newest one: for the conductor, and for whoever reads an old run. Pure."""

from __future__ import annotations

from typing import Any

RENAMED = {"command": "server_command", "port": "server_port", "ports": "server_ports"}
CALIBRATION_S = 1


def newest(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan document of version 1 or 2 as one of version 3; any other is returned as it is.

    Version 1 has other names in `server`, and its reader had to know that neither `requests` nor a calibration has a
    warm-up. Up to version 2 all hosts had one base and the same two files of SSH. KeyError, TypeError or AttributeError
    where the document is no plan at all.
    """
    if plan.get("version") == 1:
        plan = {**plan, "version": 2, "trials": [_trial(trial) for trial in plan["trials"]]}
    if plan.get("version") != 2:
        return plan
    gone = {name: plan.get(name) for name in ("owner_base", "ssh_config", "known_hosts")}
    hosts = {name: {**host, **_way(host, gone)} for name, host in plan["hosts"].items()}
    return {**{name: value for name, value in plan.items() if name not in gone}, "version": 3, "hosts": hosts}


def _way(host: dict[str, Any], gone: dict[str, Any]) -> dict[str, Any]:
    config, known = gone["ssh_config"], gone["known_hosts"]
    arguments = [*(["-F", config] if config else []), *(["-o", f'UserKnownHostsFile="{known}"'] if known else [])]
    return {"base": str(gone["owner_base"] or "").rstrip("/"), "ssh_args": arguments if host.get("ssh") else []}


def _trial(trial: dict[str, Any]) -> dict[str, Any]:
    server = {RENAMED.get(name, name): value for name, value in trial["server"].items()}
    load = dict(trial["load"])
    if load.get("workload") == "calibrate":
        load.update(warmup=0, duration=CALIBRATION_S)
    if load.get("requests"):
        load["warmup"] = 0
    return {**trial, "server": server, "load": load}
