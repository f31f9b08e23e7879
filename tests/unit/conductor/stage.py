"""A stage for the conductor: hosts with fake agents in a temporary directory, a plan, the conductor as a process."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from contracts import declared
from contracts.declared import PARAMETERS
from tests.schemas import validator

ROOT = Path(__file__).parents[3]
FAKE = Path(__file__).with_name("fake_agent.py")
RUN = "20261122T190312Z-3f9a1c"


def host(role: str, **fields: Any) -> dict[str, Any]:
    common: dict[str, Any] = {"role": role, "connection": "local", "ssh": None, "ssh_args": []}
    common |= {"python": sys.executable, "load_address": "127.0.0.1"}
    client = {"sources": ["127.0.0.1"], "weight": 1} if role == "client" else {}
    return {**common, "cpus": None, "agent_cpus": None, **client, **fields}


SERVER = {name: PARAMETERS[name].default for name in declared.SERVER} | {"workers": 1}
LOAD = {name: PARAMETERS[name].default for name in declared.LOAD} | {
    "connections": 1000, "active": 1000, "rate": 1000, "warmup": 1, "duration": 2, "timeout": 1, "arm_timeout": 2,
    "seed": 71,
}  # fmt: skip


SEARCH: dict[str, Any] = {
    "from": 1000, "to": 1_000_000, "resolution": 1.5, "budget_s": 60, "most_rungs": 10,
    "pass_rule": {"percentile": 99, "at_most_ns": 100_000_000, "answered_share": 0.99},
}  # fmt: skip


@dataclass
class Stage:
    base: Path
    clients: int = 3
    behaviours: dict[str, dict[str, Any]] = field(default_factory=dict)
    trials: int = 1
    load: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    plan_fields: dict[str, Any] = field(default_factory=dict)
    calibration: bool = False
    search: dict[str, Any] | None = None
    duet: bool = False

    @property
    def results(self) -> Path:
        return self.base / "results"

    def plan(self) -> dict[str, Any]:
        hosts = {"server": host("server")} | {f"client{i + 1}": host("client") for i in range(self.clients)}
        for name, fields in self.hosts.items():
            hosts[name] |= fields
        for fields in hosts.values():
            fields.setdefault("base", str(self.base))
        server = {**SERVER, **self.server}
        first = {
            "n": 1, "block": 1, "cell": "c1", "kind": "measure", "control": False, "profile": "c10k",
            "server": server, "load": {**LOAD, **self.load},
        }  # fmt: skip
        if self.search is not None:
            first["search"] = {**SEARCH, **self.search}
        trials = [{**first, "n": n, "block": n} for n in range(1, self.trials + 1)]
        for n, trial in enumerate(trials if self.duet else (), 1):
            trial |= {"beside": n + 1 if n % 2 else n - 1, "server": {**server, "server_port": 9000 + n}}
        if self.calibration:
            last = {"n": self.trials + 1, "cell": "calibration", "kind": "calibration"}
            load = {**LOAD, "workload": "calibrate", "warmup": 0, "duration": 1}
            trials.append({**first, **last, "server": {**server, "strategy": "null_server"}, "load": load})
        plan: dict[str, Any] = {
            "version": 3, "run": RUN, "conductor_cpus": None, "hosts": hosts, "trials": trials, **self.plan_fields,
        }  # fmt: skip
        validator("plan").validate(plan)
        return plan

    def set_up(self) -> Path:
        """Make the hosts' directories and the plan; returns the plan's path."""
        plan = self.plan()
        for name in plan["hosts"]:
            app = self.base / name / "app"
            for package in ("server", "pyloadgen"):
                (app / package).mkdir(parents=True)
                (app / package / "__init__.py").touch()
                (app / package / "__main__.py").write_text(
                    f"import runpy\nrunpy.run_path({str(FAKE)!r}, run_name='__main__')\n"
                )
            (app / "loadgen").write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
            (app / "loadgen").chmod(0o755)
            if name in self.behaviours:
                (app / "behaviour.json").write_text(json.dumps(self.behaviours[name]))
        path = self.base / "plan.yml"
        path.write_text(yaml.safe_dump(plan))
        return path

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        path = self.base / "plan.yml"
        return subprocess.Popen(
            [sys.executable, "-m", "conductor", "run", "--plan", str(path), "--results", str(self.results), *arguments],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def run(self, status: int = 0) -> "Ended":
        """A whole run, which ends with this exit."""
        self.set_up()
        return self.end(self.start(), status, 60)

    def end(self, process: "subprocess.Popen[str]", status: int, timeout_s: float = 20) -> "Ended":
        """What the conductor leaves, which ends with this exit."""
        out, err = process.communicate(timeout=timeout_s)
        assert process.returncode == status, out + err
        return Ended(self, status, out, err)

    def pids(self) -> list[int]:
        return [int(path.read_text()) for path in sorted(self.base.glob("*/app/pid-*")) if path.read_text()]

    def specs(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.base / name / "app/specs.jsonl").read_text().splitlines()]


@dataclass
class Ended:
    """What a run of the conductor left; all its files have been checked against their schemas."""

    stage: Stage
    status: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert "Traceback" not in self.err and self.stage.results.exists(), self.out + self.err
        self.lines = read_events(self.stage.results)
        self.trials = [json.loads(path.read_text()) for path in sorted(self.stage.results.glob("trials/*/trial.json"))]
        for trial in self.trials:
            validator("trial").validate(trial)
        assert self.lines[0]["header"] == 1
        assert self.lines[-1]["lines"] == len(self.lines) - 2
        assert self.lines[-2]["event"] == "run"
        assert self.lines[-2]["exit"] == self.status
        eventually("all agents gone", lambda: not any(alive(pid) for pid in self.stage.pids()), 5)

    @property
    def trial(self) -> dict[str, Any]:
        (trial,) = self.trials
        document: dict[str, Any] = trial
        return document

    def events(self, event: str, where: str | None = None) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("event") == event and where in (None, line["host"])]


def read_events(results: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (results / "events.jsonl").read_text().splitlines()]
    for line in lines:
        validator("events").validate(line)
        if "event" in line and line["host"] != "controller" and line["event"] != "stderr":
            validator("protocol").validate(line)
    return lines


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def eventually(what: str, holds: Callable[[], Any], within_s: float) -> float:
    """Wait until it holds; returns how long that took, in seconds."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < within_s, f"not within {within_s} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - begin
