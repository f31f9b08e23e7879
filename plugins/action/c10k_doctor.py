"""Writes what the gate would say of every host into a file, for `python -m conductor doctor`; refuses nothing."""

import json
from pathlib import Path
from typing import Any

from planner import gate, hold
from plugins.door import Door, variables_of


class ActionModule(Door):
    _VALID_ARGS = frozenset({"resolved", "probed", "to"})

    def do(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        table = gate.table(given["resolved"], variables_of(task_vars["hostvars"], given["probed"]), given["probed"])
        found = {"checks": table["checks"], "there": table["there"], **hold.document(table["hosts"], table["ports"])}
        Path(given["to"]).write_text(json.dumps(found), encoding="utf-8")
        return {"changed": False}
