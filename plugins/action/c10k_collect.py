"""Brings the logs of a run home from one host; deletes them there only after the hash agrees.

Within a run a host that cannot deliver is a value, `problem`: the kernels are still to be put back.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from planner import results
from planner.parameters import Refused
from plugins.module_utils import c10k_tree


class ActionModule(ActionBase):
    _VALID_ARGS = frozenset({"base", "host", "run", "within_run"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        host = str(self._task.args["host"])
        within_run = bool(self._task.args.get("within_run"))
        if within_run and not self._task.args.get("run"):
            return {"changed": False, "skipped": True, "msg": "Nothing was measured, so there is nothing to collect."}
        try:
            run = results.find(self._task.args.get("run"))
        except Refused as refused:
            raise AnsibleActionFail(" ".join(refused.problems)) from None
        if not within_run and results.goes_on(run):
            raise AnsibleActionFail(f"{run.name} still goes on; it collects its logs itself when it ends.")
        if not within_run:
            return self.collect(run, host, task_vars)
        try:
            result = self.collect(run, host, task_vars)
        except Exception as error:  # whatever it is, the kernels are still to be put back
            return {"changed": False, "run": run.name, "problem": " ".join(str(error).split())[:300]}
        if result.get("failed"):
            return {"changed": False, "run": run.name, "problem": result.get("msg", "it cannot be packed")}
        return result

    def collect(self, run: Path, host: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        arguments = {"home": f"{self._task.args['base']}/{host}", "run": run.name}
        packed = self._execute_module("c10k_bundle", module_args=arguments, task_vars=task_vars)
        if packed.get("failed"):
            return dict(packed)
        if packed["archive"] is None:
            return {"changed": False, "run": run.name, "files": 0, "msg": f"{host} has no logs of {run.name}."}
        files = self.fetch(packed, run / "hosts" / host)
        if packed["agent_runs"]:
            return {
                "changed": True,
                "run": run.name,
                "files": files,
                "msg": f"The agent of {run.name} still runs on {host}; its logs stay there too.",
            }
        deleted = self._execute_module(
            "c10k_bundle", module_args={**arguments, "state": "deleted"}, task_vars=task_vars
        )
        return {**deleted, "changed": True, "run": run.name, "files": files}

    def fetch(self, packed: dict[str, Any], place: Path) -> int:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=place.parent) as directory:
            archive = Path(directory) / "logs.tar.gz"
            self._connection.fetch_file(packed["archive"], str(archive))
            if c10k_tree.digest(archive) != packed["sha256"]:
                raise AnsibleActionFail(
                    f"{packed['archive']} arrived damaged; it is still on the host, so collect again."
                )
            return results.unpack(archive, place)
