"""Brings the logs of a run home from one host; deletes them there only after the hash agrees.

One task, where Ansible's own modules need four (pack, fetch, compare, delete). Within a run a host that cannot deliver
is a value, `problem`: the kernels are still to be put back.
"""

import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from planner import results
from planner.parameters import Refused
from plugins.door import Door
from plugins.module_utils import c10k_tree


class ActionModule(Door):
    _requires_connection = True
    _VALID_ARGS = frozenset({"home", "run", "within_run"})

    def do(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if not given["within_run"]:
            run = results.find(given["run"])
            if results.goes_on(run):
                raise Refused([f"{run.name} still goes on; it collects its logs itself when it ends."])
            return self.collect(run, given["home"], task_vars)
        if not given["run"]:
            return {"changed": False, "skipped": True, "msg": "Nothing was measured, so there is nothing to collect."}
        run = results.find(given["run"])
        try:
            result = self.collect(run, given["home"], task_vars)
        except Exception as error:  # whatever it is, the kernels are still to be put back
            return {"changed": False, "run": run.name, "problem": " ".join(str(error).split())[:300]}
        if result.get("failed"):
            return {"changed": False, "run": run.name, "problem": result.get("msg", "it cannot be packed")}
        return result

    def collect(self, run: Path, home: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments, host = {"home": home, "run": run.name, "state": "packed"}, Path(home).name
        packed = self._execute_module("c10k_home", arguments, task_vars=task_vars)
        if packed.get("failed"):
            return dict(packed)
        for agent in packed["ended"]:
            self.say(f"The agent of {run.name} on {host} (process {agent['pid']}) went on, and was ended.")
        if packed["archive"] is None:
            return {"changed": False, "run": run.name, "files": 0, "msg": f"{host} has no logs of {run.name}."}
        result = {"changed": True, "run": run.name, "files": self.fetch(packed, run / "hosts" / host)}
        if packed["agent_runs"]:
            return {**result, "msg": f"The agent of {run.name} still runs on {host}; its logs stay there too."}
        arguments["state"] = "deleted"
        return {**self._execute_module("c10k_home", arguments, task_vars=task_vars), **result}

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
