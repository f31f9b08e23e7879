"""Builds on the controller: the load generator for each architecture that the clients have, the servers in C and Go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from planner.admission import GOARCH
from planner.results import ROOT
from plugins.module_utils.c10k_tree import digest
from server.reference import build as reference


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS = frozenset({"arches", "references", "go_servers"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        changed, binaries = False, {}
        for arch in self._task.args["arches"]:
            binary = ROOT / f".cache/bin/loadgen-linux-{arch}"
            before = digest(binary) if binary.exists() else None
            if not self._task.check_mode:
                self.build(str(arch), binary)
            after = digest(binary) if binary.exists() else None
            changed |= before != after
            binaries[arch] = {"path": str(binary), "sha256": after}
        references, go_arch = None, self._task.args["go_servers"]
        if self._task.args["references"] or go_arch:
            place = ROOT / f".cache/reference-{go_arch or GOARCH.get(os.uname().machine, os.uname().machine)}"
            there = self.programs(place)
            if not self._task.check_mode:
                self.build_servers(place, go_arch)
            changed |= there != self.programs(place)
            references = str(place)
        return {"changed": changed, "binaries": binaries, "references": references}

    @staticmethod
    def programs(place: Path) -> list[str]:
        return [digest(path) for path in sorted(place.glob("[!.]*"))]

    def build(self, arch: str, binary: Path) -> None:
        try:
            reference.build_with_go(binary, ROOT / "loadgen", "./cmd/loadgen", arch)
        except reference.BuildError as error:
            raise AnsibleActionFail(str(error)) from None

    def build_servers(self, place: Path, go_arch: str | None) -> None:
        """Those in C run where they are built, so where there are any, both are for the same architecture."""
        try:
            if self._task.args["references"]:
                reference.build(place)
            if go_arch:
                reference.build_go(place, go_arch)
        except reference.BuildError as error:
            raise AnsibleActionFail(str(error)) from None
