"""Tells whether a run would work: refuses where a host does not fit. Where `python -m conductor doctor` asks, every
check goes into a file instead, for its table."""

import json
from pathlib import Path
from typing import Any

from conductor import doctor
from planner import gate, hold
from planner.check import LOAD_ADDRESS, Check, doubts, refusals
from planner.parameters import Refused
from plugins.door import Door, variables_of


class ActionModule(Door):
    _VALID_ARGS = frozenset({"resolved", "probed", "to"})

    def do(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        table = gate.table(given["resolved"], variables_of(task_vars["hostvars"], given["probed"]), given["probed"])
        found = {"checks": table["checks"], "there": table["there"], **hold.document(table["hosts"], table["ports"])}
        if given["to"]:
            Path(given["to"]).write_text(json.dumps(found), encoding="utf-8")
            return {"changed": False}
        checks = table["checks"]
        if table["hosts"] and not self._task.check_mode:
            checks += doctor.echoes(found)
        for line in doubts(Check(**check) for check in checks):
            self.say(line)
        if problems := refusals(Check(**check) for check in checks):
            raise Refused(problems)
        loads = [f"{c['host']} {c['need']} ({c['have']})" for c in checks if c["what"] == LOAD_ADDRESS]
        self.say(f"Load addresses: {', '.join(loads)}.")
        self.say(doctor.conclusion(checks))
        return {"changed": False}
