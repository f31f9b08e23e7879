"""What a run ran on: versions, parameters, kernel values in force, facts of the hosts; and what of it differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.model import Dataset

COLUMNS = ("run", "host", "role", "key", "value")
DIFFERENCE = ("run", "host", "role", "key", "value", "between")
# What tells hosts and runs apart by itself: another value of it is no other environment.
IDENTITY = frozenset(("boot_id", "netns", "hostname", "load_address", "sources", "base", "role", "parameter seed"))
# What the plan gives each host of one run apart: a CPU of its own on a shared machine, and its part of the load.
CHOSEN = frozenset(("pinned cpus", "weight"))
GIB = 1 << 30
# Facts that the kernel also knows as a sysctl. The facts are from before the tuning, the sysctl is what was in force.
SYSCTLS = {
    "somaxconn": "net.core.somaxconn", "syn_backlog": "net.ipv4.tcp_max_syn_backlog",
    "syncookies": "net.ipv4.tcp_syncookies", "file_max": "fs.file-max",
    "port_range": "net.ipv4.ip_local_port_range",
}  # fmt: skip


def environment(dataset: Dataset) -> pd.DataFrame:
    """One row per run, host and key: `host` and `role` are empty where it holds for the whole run. Values are text.

    Keys: `git commit`, `git dirty`, `version NAME`, `parameter NAME`, `number of clients` of a run; of a host
    `sysctl NAME` (as in force), `pinned cpus`, and its facts (kernel, cpus, memory_bytes, python, …). A key that
    a run does not tell, as an old one may not, has no row.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    tuning: dict[str, dict[str, Any]] = {}
    for run in dataset.runs.drop_duplicates("run").to_dict("records"):
        name = str(run["run"])
        tuning[name] = document(run["tuning"])
        clients = dataset.hosts[(dataset.hosts["run"] == name) & (dataset.hosts["role"] == "client")]
        rows += [(name, "", "", key, value) for key, value in _of_run(run, clients["host"].nunique())]
    for host in dataset.hosts.drop_duplicates(["run", "host"]).to_dict("records"):
        run_name, own = str(host["run"]), str(host["host"])
        role = "" if pd.isna(host["role"]) else str(host["role"])
        found = _of_host(host, document(tuning.get(run_name, {}).get(own)))
        rows += [(run_name, own, role, key, value) for key, value in found.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="string")


def differences(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of an environment that take part in a difference, in its order, and `between` what: `hosts` of one role
    of one run; `runs`, in what all hosts of a role have. A key that one side does not tell is no difference.
    """
    known = frame[~frame["key"].isin(IDENTITY)]
    parts = []
    of_hosts = known[(known["host"] != "") & ~known["key"].isin(CHOSEN)]
    if not of_hosts.empty:
        several = of_hosts.groupby(["run", "role", "key"])["value"].transform("nunique") > 1
        parts.append(of_hosts[several].assign(between="hosts"))
    if not known.empty:
        # A host more or less is no difference of its own: what is held against each other is which values occur.
        sets = known.groupby(["role", "key", "run"])["value"].agg(lambda values: json.dumps(sorted(set(values))))
        different = sets.groupby(level=["role", "key"]).nunique() > 1
        names = set(different[different].index)
        mask = [pair in names for pair in zip(known["role"], known["key"], strict=True)]
        parts.append(known[pd.Series(mask, index=known.index, dtype=bool)].assign(between="runs"))
    found = pd.concat(parts) if parts else known.assign(between="")
    return found.astype("string").reindex(columns=list(DIFFERENCE)).reset_index(drop=True)


def document(text: Any) -> dict[str, Any]:
    """What a JSON column holds; nothing where it holds no mapping."""
    if isinstance(text, dict):
        return text
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _of_run(run: dict[Any, Any], clients: int) -> Iterator[tuple[str, str]]:
    if not pd.isna(run["git_commit"]):
        yield "git commit", str(run["git_commit"])
    if not pd.isna(run["git_dirty"]):
        yield "git dirty", "yes" if run["git_dirty"] else "no"
    yield from ((f"version {name}", _text(value)) for name, value in document(run["versions"]).items())
    yield from ((f"parameter {name}", _text(value)) for name, value in document(run["parameters"]).items())
    if clients:
        yield "number of clients", str(clients)


def _of_host(host: dict[Any, Any], tuning: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in document(host["facts"]).items():
        if name in SYSCTLS:
            value = " ".join(map(str, value)) if isinstance(value, list) else value
            found[f"sysctl {SYSCTLS[name]}"] = _text(value)
        elif name == "memory_bytes" and isinstance(value, int):
            # What the kernel keeps for itself changes from boot to boot.
            found["memory"] = f"{value / GIB:.1f} GiB"
        elif value is not None:
            found[name] = _text(value)
    keys = tuning.get("keys")
    for entry in keys if isinstance(keys, list) else ():
        if not isinstance(entry, dict):
            continue
        value = entry.get("after") if entry.get("after") is not None else entry.get("before")
        if value is not None:
            found[f"sysctl {entry.get('key')}"] = _text(value)
    if not pd.isna(host["cpus"]):
        found["pinned cpus"] = _text(host["cpus"])
    return found


def _text(value: Any) -> str:
    """On one line; a number or a list as JSON."""
    return " ".join(value.split()) if isinstance(value, str) else json.dumps(value)
