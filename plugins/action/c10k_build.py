"""Builds on the controller: the load generator for each architecture that the clients have, and the C references."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from plugins.module_utils.c10k_admission import GOARCH
from plugins.module_utils.c10k_results import ROOT
from plugins.module_utils.c10k_tree import digest
from server.reference import build as reference

NO_GO = "Go is not here and the generator must be built: run script/bootstrap, which finds or installs it."


def environment(arch: str) -> dict[str, str]:
    """Go's caches stay in the checkout, so nothing depends on HOME."""
    cache = ROOT / ".cache"
    return {
        **os.environ, "GOCACHE": str(cache / "go-build"), "GOMODCACHE": str(cache / "go-mod"), "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw -buildvcs=false", "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": arch,
    }  # fmt: skip


def compiler() -> str | None:
    beside = Path(sys.executable).with_name("go")
    return str(beside) if beside.exists() else shutil.which("go")


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS = frozenset({"arches", "references"})

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
        references = None
        if self._task.args["references"]:
            place = ROOT / f".cache/reference-{GOARCH.get(os.uname().machine, os.uname().machine)}"
            there = [digest(path) for path in sorted(place.glob("c_*"))]
            if not self._task.check_mode:
                try:
                    reference.build(place)
                except reference.BuildError as error:
                    raise AnsibleActionFail(str(error)) from None
            changed |= there != [digest(path) for path in sorted(place.glob("c_*"))]
            references = str(place)
        return {"changed": changed, "binaries": binaries, "references": references}

    def build(self, arch: str, binary: Path) -> None:
        """Go's own cache makes the second build a matter of half a second, and knows what has changed."""
        go = compiler()
        if go is None:
            raise AnsibleActionFail(NO_GO)
        binary.parent.mkdir(parents=True, exist_ok=True)
        fresh = binary.with_name(f".{binary.name}-{os.getpid()}")
        command = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(fresh), "./cmd/loadgen"]
        built = subprocess.run(
            command,
            cwd=ROOT / "loadgen",
            env=environment(arch),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode != 0:
            fresh.unlink(missing_ok=True)
            raise AnsibleActionFail(f"The generator could not be built for {arch}: {built.stderr.strip()[-800:]}")
        fresh.replace(binary)
