"""Runs the module c10k_probe; a host that cannot answer becomes one sentence in `problem`."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase


def sentence(result: dict[str, Any], interpreter: str) -> str:
    """Why the module could not run there."""
    said = f"{result.get('msg', '')} {result.get('module_stderr', '')} {result.get('module_stdout', '')}"
    if result.get("rc") == 127 or "not found" in said or "No such file" in said:
        return f"has no Python at {interpreter}: install python3 there, or name it as ansible_python_interpreter."
    return f"cannot be looked at: {' '.join(said.split())[:300]}"


class ActionModule(ActionBase):
    _VALID_ARGS = frozenset({"base", "host", "strict"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        strict = arguments.pop("strict", False)
        if not strict and "preflight_resolved" not in (task_vars or {})["hostvars"].get("localhost", {}):
            return {"failed": True, "msg": "A run needs localhost and every host of the inventory: leave --limit away."}
        problem = None
        result: dict[str, Any] = {}
        try:
            result = self._execute_module("c10k_probe", module_args=arguments, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            if strict:
                raise
            problem = f"cannot be reached: {' '.join(str(error.message).split())[:300].rstrip('.')}."
        except AnsibleError as error:
            problem = f"cannot be looked at: {' '.join(str(error.message).split())[:300]}"
        if problem is None and "facts" not in result:
            interpreter = str(self._used_interpreter or "/usr/bin/python3").removeprefix("#!")
            problem = sentence(result, interpreter)
        if problem and strict:
            return {"failed": True, "msg": f"{arguments['host']} {problem}"}
        facts = result.get("facts", {})
        given = task_vars or {}
        password = (
            given.get("ansible_become_password") or given.get("ansible_become_pass") or self._play_context.become_pass
        )
        root = bool(facts.get("root") or password)
        return {
            "changed": False, "problem": problem, "facts": {**facts, "root": root} if facts else {},
            "become": root and facts.get("user") != 0,
        }  # fmt: skip
