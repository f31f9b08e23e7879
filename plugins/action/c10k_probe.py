"""Has the module c10k_home describe a host; a host that cannot answer becomes one sentence in `problem`."""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

NOT_RUN = (126, 127)  # the shell's answers for a program that is not there, or that it cannot run


class ActionModule(ActionBase):
    _VALID_ARGS = frozenset({"home", "limited", "strict"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if self._task.args.get("limited"):
            raise AnsibleActionFail("A run needs localhost and every host of the inventory: leave --limit away.")
        home, strict = Path(str(self._task.args["home"])), bool(self._task.args.get("strict"))
        problem, facts = self.look(home, strict, task_vars or {})
        if problem and strict:
            raise AnsibleActionFail(f"{home.name} {problem}")
        given = task_vars or {}
        password = (
            given.get("ansible_become_password") or given.get("ansible_become_pass") or self._play_context.become_pass
        )
        root = bool(facts.get("root") or password)
        return {
            "changed": False, "problem": problem, "facts": {**facts, "root": root} if facts else {},
            "become": root and facts.get("user") != 0, "base": str(home.parent),
        }  # fmt: skip

    def look(self, home: Path, strict: bool, task_vars: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """What is wrong with the host, or what it says of itself."""
        arguments = {"home": str(home), "state": "described"}
        try:
            result = self._execute_module("c10k_home", arguments, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            if strict:
                raise
            return f"cannot be reached: {' '.join(str(error.message).split())[:300].rstrip('.')}.", {}
        except AnsibleError as error:
            return f"cannot be looked at: {' '.join(str(error.message).split())[:300]}", {}
        if "facts" in result:
            return None, result["facts"]
        if result.get("rc") in NOT_RUN:
            python = str(self._used_interpreter or "/usr/bin/python3").removeprefix("#!")
            return f"has no Python at {python}: install python3 there, or name it as ansible_python_interpreter.", {}
        said = " ".join(f"{result.get(key, '')}" for key in ("msg", "module_stderr", "module_stdout"))
        return f"cannot be looked at: {' '.join(said.split())[:300]}", {}
