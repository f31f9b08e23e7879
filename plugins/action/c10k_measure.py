"""Writes plan.yml and the manifest, and runs the conductor. How it ended is a value here; c10k_report fails for it."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.release import __version__

from planner import analyse, conduct, plan, results
from planner.cells import Request
from planner.parameters import Refused
from plugins.action.c10k_admit import plain
from server import catalog


class ActionModule(ActionBase):
    _requires_connection = False
    _VALID_ARGS = frozenset({"resolved", "admitted", "built", "strict"})

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        resolved, admitted = plain(self._task.args["resolved"]), plain(self._task.args["admitted"])
        request = Request(**admitted["request"])
        hostvars = (task_vars or {})["hostvars"]
        try:
            if not self._task.args["strict"]:
                self.all_prepared(admitted["hosts"], hostvars)
            plan = self.plan(resolved, admitted, request)
        except Refused as refused:
            return self.ended(2, " ".join(refused.problems))
        count, seconds = len(plan["trials"]), sum(t["load"]["warmup"] + t["load"]["duration"] for t in plan["trials"])
        if self._task.check_mode:
            message = f"Would run {count} trials with {seconds} s of load on {', '.join(plan['hosts'])}."
            self._display.display(message)
            return {"changed": False, "msg": message, "exit": 0, "run": None}
        run = results.RESULTS / resolved["run"]
        manifest = self.manifest(resolved, admitted, request, hostvars)
        results.write_plan(run, plan)
        results.write_manifest(run, manifest)
        results.claim(run, os.getppid())
        results.point_latest(run)
        if cost := analyse.design(run / "plan.yml", seconds):
            self._display.display(cost)
        began = time.monotonic()
        code, complaint = conduct.conduct(
            run / "plan.yml", run, results.ROOT, os.getppid(), lambda line: self._display.display(line)
        )
        return self.ended(conduct.meaning(code), complaint, run.name, time.monotonic() - began)

    def ended(self, code: int, message: str, run: str | None = None, trials_s: float = 0.0) -> dict[str, Any]:
        failed = {"failed": True, "msg": f"{message} (exit {code})"} if code and self._task.args["strict"] else {}
        return {
            "changed": run is not None, "exit": code, "complaint": message, "run": run,
            "trials_s": round(trials_s, 3), **failed,
        }  # fmt: skip

    @staticmethod
    def all_prepared(hosts: list[dict[str, Any]], hostvars: Any) -> None:
        """In a whole run every host must have come through its preparation."""
        lost = []
        for host in hosts:
            last = "echo_server_shipped" if host["role"] == "server" else "load_generator_shipped"
            shipped = hostvars[host["name"]].get(last)
            if not shipped or shipped.get("failed") or shipped.get("unreachable"):
                lost.append(host["name"])
        if lost:
            raise Refused([f"Nothing was measured: {', '.join(lost)} could not be prepared (the reason is above)."])

    @staticmethod
    def plan(resolved: dict[str, Any], admitted: dict[str, Any], request: Request) -> dict[str, Any]:
        hosts = admitted["hosts"]
        config = next(
            (host for host in hosts if host["ssh_config"] or host["known_hosts"]),
            {"ssh_config": None, "known_hosts": None},
        )
        return plan.make(
            resolved["run"], resolved["seed"], request, catalog.load(), hosts, admitted["controller"],
            hosts[0]["base"], config["ssh_config"], config["known_hosts"], admitted["references"],
        )  # fmt: skip

    def manifest(
        self, resolved: dict[str, Any], admitted: dict[str, Any], request: Request, hostvars: Any
    ) -> dict[str, Any]:
        tuning, hosts = {}, {}
        for host in admitted["hosts"]:
            name, chosen = host["name"], admitted["tuning"][host["name"]]
            keys = plain(hostvars[name].get("kernel_tuning_tuned") or {}).get("keys", [])
            state = chosen["state"] if keys or chosen["state"] == "off" else "left"
            tuning[name] = {"state": state, "keys": keys, "restored": None}
            hosts[name] = {
                **{key: host[key] for key in ("role", "connection", "load_address", "sources", "weight", "base")},
                **{key: host["probe"]["facts"][key] for key in FACTS},
            }  # fmt: skip
        binaries = {arch: entry["sha256"] for arch, entry in plain(self._task.args.get("built") or {}).items()}
        calibrate = request.run_wide["calibrate"] and admitted["references"]
        return results.begin(
            resolved["run"], {**request.parameters, "calibrate": calibrate}, resolved["seed"], resolved["started_utc"],
            hosts, tuning, results.versions(__version__, binaries),
        )  # fmt: skip


FACTS = (
    "hostname", "kernel", "arch", "cpus", "memory_bytes", "nofile_hard", "python", "boot_id", "netns", "port_range",
    "somaxconn", "syn_backlog", "file_max", "cpu_model", "virtualisation", "governor", "clocksource",
)  # fmt: skip
