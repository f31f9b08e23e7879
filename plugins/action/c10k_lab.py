"""The lab's request is refused in one sentence before anything is made; the module of the same name does the rest."""

from typing import Any

from ansible.utils.vars import load_extra_vars

from planner.parameters import Refused, unknown_names
from plugins.door import Door
from plugins.module_utils import c10k_lab_request
from plugins.module_utils.c10k_lab_request import PARAMETERS

LISTED = f"; the lab has `{'`, `'.join(PARAMETERS)}`."


class ActionModule(Door):
    _requires_connection = True
    _VALID_ARGS = frozenset({"state", "clients", "time_offset_s", "inventory", "base"})

    def do(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        request, problems = c10k_lab_request.resolve(given["state"], given["clients"], given["time_offset_s"])
        problems = unknown_names(load_extra_vars(self._loader), PARAMETERS, LISTED) + problems
        if problems:
            raise Refused(problems)
        arguments = {**request, "inventory": given["inventory"], "base": given["base"]}
        result: dict[str, Any] = self._execute_module("c10k_lab", module_args=arguments, task_vars=task_vars)
        for note in result.get("notes", []):
            self.say(note)
        return result
