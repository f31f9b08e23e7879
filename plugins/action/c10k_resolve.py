"""First task of every run: the command line becomes typed parameters, or is refused before any host is touched."""

from __future__ import annotations

import json
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

NO_VENV = (
    "This Ansible does not have the benchmark's packages: use the one of the checkout, `. .venv/bin/activate`"
    " (script/bootstrap makes it)."
)


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        try:
            from planner.parameters import Refused
            from planner.resolve import resolve
        except (ImportError, TypeError) as error:  # TypeError: annotations that an older Python does not know
            raise AnsibleActionFail(NO_VENV) from error
        variables = task_vars or {}
        given = {name: variables.get(name, value) for name, value in load_extra_vars(self._loader).items()}
        given = json.loads(json.dumps(self._templar.template(given)))
        try:
            return {"changed": False, **resolve(given, set(variables) - set(given), variables["groups"])}
        except Refused as refused:
            raise AnsibleActionFail(" ".join(refused.problems)) from None
