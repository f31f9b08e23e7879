"""Writes plan.yml and the manifest, and runs the conductor. Within a run c10k_report fails for it, when all is done."""

from typing import Any

from ansible.release import __version__

from planner import results
from planner.measure import Asked, go_on, measure
from plugins.door import Door, plain, sentence


class ActionModule(Door):
    _VALID_ARGS = frozenset({"resolved", "admitted", "binaries", "tuned", "prepared", "segment", "before"})

    def do(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        asked = Asked(
            __version__, *(plain(task_vars.get(f"ansible_{name}")) for name in ("inventory_sources", "limit"))
        )
        try:
            if given.get("segment"):
                ended = go_on(given, self.say)
            else:
                ended = measure(given, asked, self.say, self._task.check_mode)
        except Exception as error:  # whatever it is, within a run the kernels are still to be put back
            if given["prepared"] is None:
                raise
            complaint = f"The trials were broken off by {type(error).__name__}: {sentence(error).rstrip('.')}."
            ended = {"changed": True, "exit": 3, "complaint": complaint, "run": results.there(given), "trials_s": 0.0}
        if ended["exit"] and given["prepared"] is None:
            return {**ended, "failed": True, "msg": f"{ended['complaint']} (exit {ended['exit']})"}
        return ended
