"""Keeps other runs away from the hosts until this playbook ends, or says which run has them now."""

import os
from typing import Any

from planner import gate
from planner.hold import hold
from plugins.door import Door, plain


class ActionModule(Door):
    _VALID_ARGS = frozenset({"probed", "run"})

    def do(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if self._task.check_mode:
            return {"changed": False, "msg": "Would keep other runs away."}
        hosts = []
        for name, probe in given["probed"].items():
            if not probe:  # outside --limit
                continue
            variables = task_vars["hostvars"][name]
            known = {key: plain(variables[key]) for key in gate.INVENTORY if key in variables}
            role = "server" if name in task_vars["groups"]["c10k_server"] else "client"
            hosts.append(gate.held(name, role, known, probe))
        hold(hosts, given["run"], os.getppid())
        return {"changed": False}
