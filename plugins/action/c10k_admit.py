"""The gate before anything is changed: every host fits the run, or the run is refused; says what earlier runs left."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from planner import admission, available
from planner.cells import Catalog, Request
from planner.parameters import Refused
from planner.results import ROOT
from server import catalog


def plain(value: Any) -> Any:
    """Without Ansible's tags, and of JSON's types."""
    return json.loads(json.dumps(value))


def described(name: str, role: str, known: dict[str, Any]) -> dict[str, Any]:
    """One host, as the plan and the gate want it, from its variables."""
    address = known.get("c10k_load_address") or known.get("ansible_host") or name
    local = known.get("ansible_connection") == "local"
    listed = [str(source) for source in known.get("c10k_sources") or []] if role == "client" else []
    host: dict[str, Any] = {
        "name": name, "role": role, "connection": "local" if local else "ssh",
        "ssh": None if local else str(known.get("ansible_host") or name),
        "load_address": str(address),
        "listed": listed, "weight": float(known.get("c10k_weight") or 1), "base": str(known["c10k_base"]),
        "ssh_config": known.get("c10k_ssh_config"), "known_hosts": known.get("c10k_known_hosts"),
        "probe": known.get("preflight_probed"),
    }  # fmt: skip
    if host["weight"] == int(host["weight"]):
        host["weight"] = int(host["weight"])
    return host


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS = frozenset({"resolved"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        resolved = plain(self._task.args["resolved"])
        request = Request(**resolved["request"])
        names = [(resolved["server"], "server"), *((client, "client") for client in resolved["clients"])]
        hosts = [self.known(name, role, variables) for name, role in names]
        problems = admission.problems_of(request, hosts)
        try:
            for host in hosts:
                count = request.run_wide["sources"] if host["role"] == "client" else 1
                host["sources"] = admission.sources(host["name"], host["load_address"], host["listed"], count)
        except Refused as refused:
            problems += refused.problems
        if problems:
            raise AnsibleActionFail(" ".join(problems))
        try:
            request, references, go_servers, wheels = self.available(request, catalog.load(), hosts[0])
        except Refused as refused:
            raise AnsibleActionFail(" ".join(refused.problems)) from None
        for host in hosts:
            host.update({key: host["probe"]["facts"][key] for key in ("boot_id", "cpus", "nofile_hard")})
            host["python"] = host["probe"]["facts"]["executable"]
            line = admission.leftovers(host, request.run_wide["keep_tuned"])
            if line:
                self._display.display(line)
        controller = {
            "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "netns": Path("/proc/self/ns/net").stat().st_ino,
        }
        tuning = admission.tuning(request, hosts, controller, resolved["profile"])
        for line in tuning["lines"]:
            self._display.display(line)
        arches = {admission.GOARCH[host["probe"]["facts"]["arch"]] for host in hosts if host["role"] == "client"}
        return {
            "changed": False, "hosts": hosts, "tuning": tuning["hosts"], "controller": controller,
            "ports": admission.ports(request), "arches": sorted(arches),
            "references": references, "go_servers": go_servers, "request": asdict(request),
            "wheels": wheels and str(wheels),
            "arch": {host["name"]: admission.GOARCH.get(host["probe"]["facts"]["arch"]) for host in hosts},
        }  # fmt: skip

    def available(
        self, request: Request, strategies: Catalog, server: dict[str, Any]
    ) -> tuple[Request, bool, str | None, Path | None]:
        """The request with what the server host can run; which programs to build, and where its packages are."""
        names = available.asked(request)
        lacking = available.without_io_uring(names, strategies, server)
        references, sentence = admission.references(
            request, strategies, server, os.uname().machine, shutil.which("cc") is not None
        )
        if sentence:
            lacking.update(dict.fromkeys(admission.programs_asked(request, strategies), sentence))
            if request.run_wide["calibrate"]:
                self._display.display(f"The calibration at the end is left out: {sentence}")
        go_servers, sentence = admission.go_servers(request, strategies, server)
        if sentence:
            lacking.update(dict.fromkeys(admission.programs_asked(request, strategies, "go"), sentence))
        wheels, unfetched = available.wheels_for(
            names, strategies, server, ROOT / ".cache", ROOT / "requirements-server.lock", self._task.check_mode
        )
        request, lines, problems = available.settle(request, lacking | unfetched)
        if problems:
            raise Refused(problems)
        for line in lines:
            self._display.display(line)
        return request, references, go_servers, wheels

    def known(self, name: str, role: str, variables: dict[str, Any]) -> dict[str, Any]:
        hostvars = variables["hostvars"][name]
        wanted = (
            "c10k_load_address", "ansible_host", "ansible_connection", "c10k_sources", "c10k_weight", "c10k_base",
            "c10k_ssh_config", "c10k_known_hosts", "preflight_probed",
        )  # fmt: skip
        known = {key: hostvars[key] for key in wanted if key in hostvars}
        known.setdefault("c10k_base", "/var/lib/c10k")
        return described(name, role, plain(known))
