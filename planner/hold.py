"""Starts the process that keeps other runs away from the hosts; it ends with the playbook. On the controller."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from planner.parameters import Refused
from planner.results import ROOT

CONNECTION = ("name", "role", "connection", "ssh", "ssh_args", "python", "load_address", "base", "sources")


def document(hosts: Sequence[Mapping[str, Any]], ports: Sequence[int]) -> dict[str, Any]:
    """What `conductor hold` reads. `hosts` are as gate.held() gives them; on `ports` the server will listen."""
    return {"hosts": [{name: host[name] for name in (*CONNECTION, "lock")} for host in hosts], "ports": list(ports)}


def hold(hosts: Sequence[Mapping[str, Any]], ports: Sequence[int], run: str, owner: int) -> int:
    """The id of the process that holds. Refused, where a host is in use by another run, cannot be reached by the
    conductor, or a client does not get an echo over the load plane."""
    process = subprocess.Popen(
        [sys.executable, "-m", "conductor", "hold", "--run", run, "--owner", str(owner)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin and process.stdout and process.stderr
    with process.stdin:
        json.dump(document(hosts, ports), process.stdin)
    if process.stdout.readline() != "held\n":
        said = process.stderr.read().strip()
        process.wait()
        raise Refused([said or "The hosts cannot be locked, and the conductor does not say why."])
    process.stdout.close()
    process.stderr.close()
    return process.pid
