"""A small healthy dataset for the tests of checks: three clients, two cells, six blocks and a control; no finding."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import pandas as pd

from analysis.checks import findings_table
from analysis.checks.findings import OBSERVERS
from analysis.model import TABLES, Dataset, frame

MS = 1_000_000
S = 1_000_000_000
RUN = "r1"
CLIENTS = ("client1", "client2", "client3")
STRATEGIES = ("epoll", "poll")
BLOCKS = 6
# 300 requests a second of each of three clients in 12 s: 10,800 requests, 108 beyond the p99; p99.9 has no figure here.
RATE, SECONDS = 300, 12
Rows = dict[str, list[dict[str, Any]]]


def healthy() -> Rows:
    """Rows of every table that a check reads. Trial 1 is `epoll` in block 1."""
    rows: Rows = {name: [] for name in (
        "runs", "trials", "hosts", "intervals", "seconds", "server_samples", "host_samples", "kernel", "listen_queue",
        "workers", "generators", "clocks", "errors", "files", "findings", "histograms")}  # fmt: skip
    rows["runs"].append({"run": RUN, "path": "results/r1", "is_whole": True, "tuning": "{}", "git_dirty": False})
    rows["hosts"].append(_host("server", "server", "[0]", "m0"))
    rows["hosts"] += [_host(name, "client", "[0]", f"m{i}") for i, name in enumerate(CLIENTS, 1)]
    order = random.Random(1)
    n = 0
    for block in range(1, BLOCKS + 1):
        cells = [(name, False) for name in STRATEGIES] + [("epoll", True)]
        if block > 1:
            order.shuffle(cells)
        for strategy, control in cells:
            n += 1
            _trial(rows, n, block, strategy, control)
    rows["generators"] += [
        {"run": RUN, "trial": n + 1, "host": name, "ceiling_per_s": 20_000.0, "wall_ns": 1e9} for name in CLIENTS
    ]
    return rows


def _host(name: str, role: str, cpus: str, machine: str) -> dict[str, Any]:
    facts = {"cpus": [0, 1], "boot_id": machine, "nofile_hard": 20_000, "port_range": [30_000, 49_999],
             "sources": ["198.18.0.11"], "kernel": "Linux 6"}  # fmt: skip
    return {"run": RUN, "host": name, "role": role, "cpus": cpus, "facts": json.dumps(facts)}


def _trial(rows: Rows, n: int, block: int, strategy: str, control: bool) -> None:
    requests = 3 * RATE * SECONDS
    key = {"run": RUN, "trial": n}
    rows["trials"].append(key | {
        "block": block, "position": n, "cell": f"c-{strategy}", "control": control, "strategy": strategy,
        "server_port": 9000, "server_ports": 1, "backlog": 2048, "workload": "open",
        "connections": 3000, "arrival": "poisson", "payload_bytes": 64, "warmup": 0, "duration": SECONDS,
        "outcome": "ok", "window_s": float(SECONDS),
        "planned_requests": requests, "sent_requests": requests, "answered_requests": requests,
        "timed_out_requests": 0, "censored_requests": 0, "dropped_requests": 0, "mismatched_requests": 0,
        "failed_requests": 0, "surplus_replies": 0, "response_p50_ns": 0.2 * MS, "response_p99_ns": 5.0 * MS,
        "response_p99_tail_requests": requests / 100, "lag_p99_ns": 0.4 * MS, "connect_p99_ns": 0.5 * MS,
        "server_cpu_share": 0.4,
    })  # fmt: skip
    gaps = random.Random(n)
    for host in CLIENTS:
        rows["generators"].append(key | {
            "host": host, "connections_share": 1000, "rate_share_per_s": float(RATE), "processes": 1,
            "wall_ns": 12.0 * S, "cpu_user_ns": 1.2 * S, "cpu_system_ns": 1.2 * S, "steal_ns": 0.0, "throttled_ns": 0.0,
            "gc_pause_ns": 0.0, "max_loop_gap_ns": 9.0 * MS, "sent_per_s": float(RATE), "answered_per_s": float(RATE),
            "lag_p50_ns": 0.03 * MS, "lag_p99_ns": 0.4 * MS, "response_p99_ns": 5.0 * MS, "armed": 1000, "lost": 0,
            "syn_retries_1": 0, "syn_retries_2": 0, "syn_retries_3": 0, "over_60s": 0, "corrupt": 0, "truncated": 0,
            "duplicated": 0, "reordered": 0, "crossed": 0, "foreign": 0, "late": 0,
            "send_gaps_ns": json.dumps([gaps.expovariate(RATE) * S for _ in range(500 if n < 3 else 0)]),
        })  # fmt: skip
        rows["clocks"].append(key | {"host": host, "offset_ns": 5e6, "offset_after_ns": 5e6, "bound_ns": 0.1 * MS})
    for k in range(SECONDS if n < 3 else 0):
        second = key | {"k": k, "phase": "load", "planned_requests": 3 * RATE, "answered_requests": 3 * RATE,
                        "response_p50_ns": (0.2 + 0.001 * (k % 4)) * MS}  # fmt: skip
        rows["seconds"].append(second)
        rows["intervals"] += [second | {"host": host} for host in CLIENTS]
    for t in range(SECONDS + 1 if n < 3 else 0):
        rows["server_samples"].append(key | {"t_s": float(t), "threads": 1, "major_faults": 2, "throttled_ns": 0})
        rows["host_samples"].append(key | {"host": "server", "t_s": float(t), "foreign_ns": 0, "steal_ns": 0})
    rows["listen_queue"].append(key | {"t_s": 0.0, "listener": 0, "length": 1, "limit": 2048})
    rows["workers"].append(key | {"worker": 0, "bytes_out": 64 * (requests + 6000)})


def dataset(rows: Rows) -> Dataset:
    return Dataset(**{name: _frame(name, json.dumps(rows.get(name, []))) for name in TABLES}, notes=())


@cache
def _frame(table: str, rows: str) -> pd.DataFrame:
    """Most tables are as in the test before."""
    return frame(table, json.loads(rows))


def found(rows: Rows) -> list[dict[str, Any]]:
    """The findings of these rows, JSON columns read."""
    table = findings_table(dataset(rows))
    return [
        {
            str(name): json.loads(value) if name in ("cells", "trials", "hosts", "evidence") else value
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def told(check: str, rows: Rows) -> list[int | None]:
    """The trials of which one check has something to say, whatever the others say."""
    return sorted({one.trial for one in OBSERVERS[check](dataset(rows))}, key=str)


def ids(rows: Rows) -> list[str]:
    return [row["check"] for row in found(rows)]


def change(rows: Rows, table: str, trial: int, host: str | None = None, **fields: Any) -> Rows:
    """The rows with these fields of a trial (at a host) set."""
    hit = False
    for row in rows[table]:
        if row.get("trial") == trial and (host is None or row.get("host") == host):
            row.update(fields)
            hit = True
    assert hit, "nothing was changed"
    return rows
