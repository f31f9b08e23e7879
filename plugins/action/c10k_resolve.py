"""First task of every run: the command line becomes typed parameters, or is refused before any host is touched."""

from typing import Any

from ansible.utils.vars import load_extra_vars

from planner.resolve import resolve
from plugins.door import Door, plain


class ActionModule(Door):
    _VALID_ARGS: frozenset[str] = frozenset()

    def do(self, _given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        given = {name: task_vars.get(name, value) for name, value in load_extra_vars(self._loader).items()}
        known = set(task_vars) - set(given)
        asked, absent = plain(self._templar.template(given)), plain(task_vars.get("c10k_absent"))
        return {"changed": False, **resolve(asked, known, task_vars["groups"], absent)}
