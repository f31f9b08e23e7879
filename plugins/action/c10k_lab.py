"""The lab's request is refused in one sentence before anything is made; the module of the same name does the rest."""

from __future__ import annotations

import json
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars


class ActionModule(ActionBase):
    _VALID_ARGS = frozenset({"state", "clients", "time_offset_s", "inventory", "base"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        try:
            from plugins.module_utils import c10k_lab_request
        except ImportError as error:
            sentence = (
                "This Ansible is not the checkout's: use that, `. .venv/bin/activate` (script/bootstrap makes it)."
            )
            raise AnsibleActionFail(sentence) from error
        asked = json.loads(json.dumps(self._task.args))
        request, problems = c10k_lab_request.resolve(asked["state"], asked["clients"], asked["time_offset_s"])
        problems = c10k_lab_request.unknown(load_extra_vars(self._loader)) + problems
        if problems:
            raise AnsibleActionFail(" ".join(problems))
        arguments = {**request, "inventory": asked["inventory"], "base": asked["base"]}
        result: dict[str, Any] = self._execute_module("c10k_lab", module_args=arguments, task_vars=task_vars)
        for note in result.get("notes", []):
            self._display.display(note)
        return result
