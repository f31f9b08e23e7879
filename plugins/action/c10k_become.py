"""Tries the password of sudo where only that makes a host's user root; a wrong one becomes the host's `problem`."""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from contracts.visible import one_line

MEND = "give the right one (--ask-become-pass, ansible_become_password), or none and -e tune=off."


class ActionModule(ActionBase):
    _VALID_ARGS = frozenset({"probed"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What c10k_probe found, with the problem."""
        super().run(tmp, task_vars)
        probed: dict[str, Any] = dict(self._task.args["probed"])
        if probed["problem"] or not probed["asks"]:
            return probed
        try:
            answer = self._execute_module("ansible.builtin.ping", {"data": "pong"}, task_vars=task_vars)
            said = " ".join(str(answer.get(key, "")) for key in ("module_stdout", "module_stderr", "msg"))
        except AnsibleError as error:
            answer, said = {}, error.message
        if "ping" not in answer:
            why = one_line(said).rstrip(".")
            probed["problem"] = f"does not make its user root by the password that was given ({why}): {MEND}"
        return probed
