"""Keeps a copy of files on a host equal to the controller's: one look, and one parcel where something differs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from plugins.module_utils import c10k_tree


class ActionModule(ActionBase):
    TRANSFERS_FILES = True
    _VALID_ARGS = frozenset({"source", "home", "name", "mode"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        home, name = str(self._task.args["home"]), str(self._task.args["name"])
        source = Path(str(self._task.args["source"]))
        if not source.exists():
            if self._task.check_mode:
                return {
                    "changed": True,
                    "msg": f"{source.name} is not built yet; it would be, and copied to {home}/{name}.",
                }
            raise AnsibleActionFail(f"There is no {source} to copy.")
        wanted = c10k_tree.listing(source, name, int(str(self._task.args.get("mode", "0")), 8))
        arguments = {"home": home, "name": name, "wanted": wanted}
        result: dict[str, Any] = self._execute_module("c10k_ship", module_args=arguments, task_vars=task_vars)
        if result.get("failed") or self._task.check_mode or not result["send"]:
            return self.described(result)
        try:
            remote = self.transfer(c10k_tree.pack(source, name, result["send"]))
            sent = self._execute_module("c10k_ship", module_args={**arguments, "archive": remote}, task_vars=task_vars)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        if not sent.get("failed"):
            sent.update({key: result[key] for key in ("send", "chmod", "remove")})
        return self.described(sent)

    def transfer(self, content: bytes) -> str:
        self._make_tmp_path()
        with tempfile.NamedTemporaryFile(prefix="c10k-ship-") as parcel:
            parcel.write(content)
            parcel.flush()
            place = self._connection._shell.join_path(self._connection._shell.tmpdir, "parcel")
            return str(self._transfer_file(parcel.name, place))

    @staticmethod
    def described(result: dict[str, Any]) -> dict[str, Any]:
        """What --diff prints."""
        result.pop("invocation", None)
        gone, new = result.get("remove", []), result.get("send", [])
        if gone or new:
            result["diff"] = {
                "before": "".join(f"{path}\n" for path in gone),
                "after": "".join(f"{path}\n" for path in new),
            }
        return result
