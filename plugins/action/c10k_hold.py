"""Keeps other runs away from the hosts until this playbook ends, or says which run has them now."""

import os
from typing import Any

from planner import gate
from planner.hold import hold
from plugins.door import Door


class ActionModule(Door):
    _VALID_ARGS = frozenset({"admitted", "run"})

    def do(self, given: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        if self._task.check_mode:
            return {"changed": False, "msg": "Would keep other runs away."}
        admitted = given["admitted"]
        hosts = [gate.held(host) for host in admitted["hosts"]]
        return {"changed": False, "holder": hold(hosts, admitted["ports"], given["run"], os.getppid())}
