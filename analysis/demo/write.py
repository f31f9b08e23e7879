"""The synthetic run as files, like those that a real one leaves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from analysis.demo.events import of_trial, planned
from analysis.demo.truth import BLOCKS, CLIENTS, Truth, truth
from analysis.ingest.files import DERIVED

Document = dict[str, Any]


def write(directory: Path, fault: str | None = None, seed: int = 1, made: Truth | None = None) -> Truth:
    """The run's directory; the same seed gives the same bytes. Returns what is true of it."""
    told = made or truth(seed, fault)
    directory.mkdir(parents=True, exist_ok=True)
    plan = _plan(told)
    lines: list[Document] = [{"event": "plan", "plan": plan, "host": "controller", "trial": None, "at": 0}]
    for trial in told.trials:
        lines += of_trial(told, trial)
    lines.append({"event": "run", "state": "ended", "exit": 0, "host": "controller", "trial": None, "at": 1})
    _jsonl(directory / "events.jsonl", told, "events", "controller", None, lines)
    (directory / "plan.yml").write_text(yaml.safe_dump(plan, sort_keys=False))
    for line in lines:
        if line["event"] == "trial" and line["state"] == "ended":
            folder = directory / "trials" / f"{line['trial']:03d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "trial.json").write_text(json.dumps(line["result"], indent=1) + "\n")
    for host in told.hosts:
        folder = directory / "hosts" / host / "001"
        folder.mkdir(parents=True, exist_ok=True)
        own = [
            {k: v for k, v in line.items() if k not in ("host", "trial", "at")}
            for line in lines
            if line["host"] == host and line["trial"] == 1
        ]
        _jsonl(folder / "agent.jsonl", told, "agent", host, 1, own)
    (directory / "manifest.json").write_text(json.dumps(_manifest(told, directory), indent=1) + "\n")
    if told.fault == "truncated":
        cut = directory / "hosts" / "client1" / "001" / "agent.jsonl"
        cut.write_bytes(cut.read_bytes()[:-300])
    return told


def _jsonl(path: Path, told: Truth, file: str, host: str, trial: int | None, lines: list[Document]) -> None:
    header = {"header": 1, "file": file, "version": 1, "run": told.run, "host": host, "trial": trial, "t": 1}
    header |= {"utc": "2026-01-01T00:00:00.000Z"}
    documents = [header, *lines, {"trailer": 1, "lines": len(lines), "t": 2}]
    path.write_text("".join(json.dumps(document, separators=(",", ":")) + "\n" for document in documents))


def _plan(told: Truth) -> Document:
    common: Document = {
        "connection": "local", "ssh": None, "ssh_args": [], "python": "python3", "base": "/var/lib/c10k",
        "agent_cpus": None,
    }  # fmt: skip
    hosts: dict[str, Document] = {
        "server": common | {"role": "server", "load_address": "198.18.0.10", "cpus": [0], "agent_cpus": [1]}
    }
    for i, name in enumerate(CLIENTS, start=11):
        address = f"198.18.0.{i}"
        own = {"role": "client", "load_address": address, "cpus": [i - 9], "sources": [address], "weight": 1}
        hosts[name] = common | own
    return {
        "version": 3, "run": told.run, "conductor_cpus": None, "hosts": hosts,
        "trials": [planned(told, trial) for trial in told.trials] + [planned(told, None)],
    }  # fmt: skip


def _manifest(told: Truth, directory: Path) -> Document:
    facts = {
        "kernel": "Linux 6.12.0 #1 SMP", "arch": "x86_64", "cpus": [0, 1, 2, 3, 4], "memory_bytes": 2**34,
        "nofile_hard": 1_048_576, "python": "3.11.2", "port_range": [15000, 64999], "somaxconn": 65535,
        "syn_backlog": 65535, "base": "/var/lib/c10k",
    }  # fmt: skip
    hosts = {
        name: facts | {"role": "server" if name == "server" else "client", "hostname": name, "boot_id": f"b007-{name}"}
        for name in told.hosts
    }
    files = {
        name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not (name := str(path.relative_to(directory))).startswith(("manifest.json", *DERIVED))
    }
    strategies = list(dict.fromkeys(trial.of.strategy for trial in told.trials))
    return {
        "schema": 1, "run": told.run, "status": "ok", "exit": 0,
        "parameters": {"strategy": strategies, "repetitions": BLOCKS, "slo": "p99=10ms"},
        "seed": told.seed, "git": {"commit": None, "dirty": None}, "versions": {"demo": "synthetic"}, "hosts": hosts,
        "tuning": {}, "overhead": None, "started_utc": "2026-01-01T00:00:00Z", "ended_utc": "2026-01-01T01:00:00Z",
        "files": files,
    }  # fmt: skip
