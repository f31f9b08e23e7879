"""Builds on the controller what the hosts need: the load generator for each architecture, the servers in C and Go."""

from typing import Any

from planner.build import build
from plugins.door import Door


class ActionModule(Door):
    _VALID_ARGS = frozenset({"admitted"})

    def do(self, given: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        return build(given["admitted"], self._task.check_mode)
