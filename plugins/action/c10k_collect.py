"""Brings the logs of a run home from one host; deletes them there only after the hash agrees.

One task and one module, where Ansible's own modules need four (pack, fetch, compare, delete), and to start another only
to delete would cost as much again. The archive comes by way of the module, which reads it as whoever owns it, and no
more of it than was said. Within a run a host that cannot deliver is a value, `problem`: the kernels are still to be put
back.
"""

import base64
import shlex
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from contracts.visible import one_line
from planner import results
from planner.parameters import Refused
from plugins.door import Door, sentence
from plugins.module_utils import c10k_tree

MOST_BYTES = 1 << 30
"""Of an archive; what a host says of its size is not believed beyond."""


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
            return {"changed": False, "run": run.name, "problem": sentence(error)}
        if result.get("failed"):
            return {"changed": False, "run": run.name, "problem": result.get("msg", "it cannot be packed")}
        return result

    def collect(self, run: Path, home: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments, host = {"home": home, "run": run.name, "state": "packed"}, Path(home).name
        packed = self._execute_module("c10k_home", arguments, task_vars=task_vars)
        if packed.get("failed"):
            return dict(packed)
        for agent in packed["ended"]:
            how = "was ended" if agent["signal"] else "cannot be ended"
            self.say(f"The agent of {run.name} on {host} (process {agent['pid']}) went on, and {how}.")
        if packed["archive"] is None:
            return {"changed": False, "run": run.name, "files": 0, "msg": f"{host} has no logs of {run.name}."}
        files = self.fetch(packed, arguments, run / "hosts" / host, task_vars)
        result = {"changed": True, "run": run.name, "files": files}
        if packed["agent_runs"]:
            return {**result, "msg": f"The agent of {run.name} still runs on {host}; its logs stay there too."}
        there = (f"{home}/runs/{run.name}", f"{home}/collect-{run.name}.tar.gz")
        deleted = self._low_level_execute_command(shlex.join(["rm", "-rf", "--", *there]))
        if deleted["rc"] != 0:
            why = one_line(deleted["stderr"])
            return {**result, "msg": f"The logs of {run.name} stay on {host} too: {why}"}
        return result

    def fetch(self, packed: dict[str, Any], arguments: dict[str, Any], place: Path, task_vars: dict[str, Any]) -> int:
        """Part after part; the number of files in it."""
        there, size = packed["archive"], int(packed["bytes"])
        if size > MOST_BYTES:
            raise AnsibleActionFail(f"{there} has {size:,} bytes, more than {MOST_BYTES:,}: fetch it by hand.")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=place.parent) as directory:
            archive, part = Path(directory) / "logs.tar.gz", packed
            with archive.open("wb") as file:
                while content := base64.b64decode(str(part.get("content") or "")):
                    file.write(content)
                    if file.tell() >= size:
                        break
                    more = {**arguments, "state": "read", "offset": file.tell()}
                    part = self._execute_module("c10k_home", more, task_vars=task_vars)
                    if part.get("failed"):
                        raise AnsibleActionFail(str(part.get("msg") or f"{there} cannot be read."))
            if c10k_tree.digest(archive) != packed["sha256"]:
                raise AnsibleActionFail(f"{there} arrived damaged; it is still on the host, so collect again.")
            try:
                return results.unpack(archive, place)
            except ValueError as error:
                raise AnsibleActionFail(f"{there} is not unpacked: {error}. It is still on the host.") from None
