"""The gate before anything is changed: every host fits the run, or the run is refused; says what earlier runs left."""

from typing import Any

from planner import gate
from plugins.door import Door, variables_of


class ActionModule(Door):
    _VALID_ARGS = frozenset({"resolved", "probed"})

    def do(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        known = variables_of(task_vars["hostvars"], given["probed"])
        return gate.admit(given["resolved"], known, given["probed"], self.say, self._task.check_mode)
