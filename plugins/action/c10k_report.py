"""Last task: the summary and the report, and the manifest completed. A run that did not go well fails the playbook."""

from typing import Any

from planner import finish, results
from plugins.door import Door


class ActionModule(Door):
    _VALID_ARGS = frozenset({"run", "summary", "measured", "tunings", "tuned", "collected", "restored", "keep_tuned"})

    def do(self, given: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        if self._task.check_mode:
            return {"changed": False, "msg": "Would write the summary and the report."}
        if given.get("measured"):
            return {"changed": True, **finish.finish(given, self.say)}
        run = results.existing(given.get("run"))
        if given.get("summary", True):
            finish.report(run, self.say)
        else:
            finish.bring_up_to_date(run)
        return {"changed": True, "run": run.name}
