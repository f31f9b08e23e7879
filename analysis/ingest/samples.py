"""What the server's agent saw while a trial ran, and the kernel counters of every host."""

from __future__ import annotations

import math
from typing import Any

from analysis.ingest.clocks import bounds_ns
from analysis.ingest.events import Event, Log
from analysis.ingest.fields import count, listing, mapping, number, pairs, truth, whole
from analysis.ingest.latency import done_of, went

NS = 1e9
COLUMNS = ("processes", "threads", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "fds", "minor_faults", "major_faults",
           "voluntary_switches", "involuntary_switches", "established", "open", "accepted", "bytes_in", "bytes_out",
           "accept_queue", "throttled_ns")  # fmt: skip
OF_HOST = ("foreign_ns", "steal_ns", "agent_ns")
WORKER = ("accepted", "peak", "closed", "bytes_in", "bytes_out")


def sample_tables(log: Log) -> dict[str, list[dict[str, Any]]]:
    """The rows of server_samples, host_samples, kernel and listen_queue, in order of time.

    A trial that was never told `go` has no moment to count from: its times count from the end of its samples.
    """
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("server_samples", "host_samples", "kernel", "listen_queue")
    }
    bounds, starts = bounds_ns(log), _starts(log)
    for event in _samples(log):
        n = event["trial"]
        key = {"run": log.run, "trial": n, "t_s": (event["t"] - starts[n]) / NS}
        bound = {"bound_ns": bounds.get((n, log.server or ""), math.nan)}
        own = {name: count(event.get(name)) for name in COLUMNS}
        tables["server_samples"].append(key | bound | own | {"edges_only": truth(event.get("edges_only"))})
        of_host = {name: whole(event.get(name)) for name in OF_HOST}
        tables["host_samples"].append(key | bound | {"host": log.server} | of_host)
        tables["kernel"] += _kernel(key | {"host": log.server}, event)
        tables["listen_queue"] += [
            key | {"listener": i, "length": length, "limit": limit}
            for i, (length, limit) in enumerate(pairs(event.get("accept_queues")))
        ]
    for (n, host), event in done_of(log).items():
        own = mapping(event.get("self"))
        tables["kernel"] += _kernel(
            {"run": log.run, "trial": n, "t_s": number(own.get("wall_ns")) / NS, "host": host}, own
        )
    return tables


def _samples(log: Log) -> list[Event]:
    """Those of the server, each of which has a trial and a time, in order."""
    mine = [
        e
        for e in log.of("sample")
        if e["host"] == log.server and e["trial"] is not None and count(e.get("t")) is not None
    ]
    return sorted(mine, key=lambda event: (event["trial"], event["t"]))


def _starts(log: Log) -> dict[int, int]:
    starts = {event["trial"]: event["t"] for event in _samples(log)}
    told = {n: count(at.get(log.server or "")) for n, at in went(log).items()}
    return starts | {n: at for n, at in told.items() if at is not None}


def _kernel(key: dict[str, Any], event: Event) -> list[dict[str, Any]]:
    counters = mapping(event.get("kernel"))
    return [
        key | {"counter": name, "value": value} for name, told in counters.items() if (value := count(told)) is not None
    ]


def worker_rows(log: Log) -> list[dict[str, Any]]:
    """One row per process of the server, as it stood at its end."""
    return [
        {"run": log.run, "trial": event["trial"], "worker": i}
        | {name: count(mapping(slot).get(name)) for name in WORKER}
        for event in log.of("stopped")
        if event["host"] == log.server and event["trial"] is not None
        for i, slot in enumerate(listing(event.get("workers")))
    ]
