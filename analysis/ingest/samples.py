"""What the server's agent saw while a trial ran, the kernel counters of every host, and the clocks that time them."""

from __future__ import annotations

import math

import numpy as np

from analysis.ingest.events import Event, Log, is_count
from analysis.ingest.fields import Row, count, listing, mapping, number, taken

NS = 1e9


def clock_rows(log: Log) -> list[Row]:
    """One row per trial and host: how far its clock was from the controller's before and after, and the bound of the
    first."""
    found: dict[tuple[int, str], Row] = {}
    for event in log.of("clocks"):
        if event["trial"] is None:
            continue
        for host, clock in mapping(event.get("clocks")).items():
            row = found.setdefault((event["trial"], host), log.key(event) | {"host": host})
            if event.get("when") == "after":
                row["offset_after_ns"] = number(mapping(clock).get("offset_ns"))
            else:
                row |= {name: number(mapping(clock).get(name)) for name in ("offset_ns", "bound_ns")}
    return list(found.values())


def bounds_ns(log: Log) -> dict[tuple[int, str], float]:
    """How far a time may be off on the common axis: the bound of the offset, and what the clock drifted in the
    trial."""
    rows = {(row["trial"], row["host"]): row for row in clock_rows(log)}
    drifts = {key: abs(row.get("offset_after_ns", np.nan) - row.get("offset_ns", np.nan)) for key, row in rows.items()}
    return {key: row.get("bound_ns", np.nan) + np.nan_to_num(drifts[key]) for key, row in rows.items()}


def sample_tables(log: Log) -> dict[str, list[Row]]:
    """The rows of server_samples, host_samples, kernel and listen_queue, in order of time.

    A trial that was never told `go` has no moment to count from: its times count from the end of its samples.
    """
    tables: dict[str, list[Row]] = {name: [] for name in ("server_samples", "host_samples", "kernel", "listen_queue")}
    mine = [e for e in log.of("sample") if e["host"] == log.server and e["trial"] is not None]
    samples = sorted((e for e in mine if count(e.get("t")) is not None), key=lambda e: (e["trial"], e["t"]))
    starts = {event["trial"]: event["t"] for event in samples}
    starts |= {n: at for n, its in log.went.items() if (at := count(its.get(log.server or ""))) is not None}
    bounds = bounds_ns(log)
    for event in samples:
        n, queues = event["trial"], [q for q in listing(event.get("accept_queues")) if len(listing(q)) == 2]
        key = {"run": log.run, "trial": n, "t_s": (event["t"] - starts[n]) / NS}
        bound = {"bound_ns": bounds.get((n, log.server or ""), math.nan)}
        for name in ("server_samples", "host_samples"):
            tables[name].append(taken(name, event) | key | bound)
        tables["kernel"] += _kernel(key | {"host": log.server}, event)
        tables["listen_queue"] += [
            key | {"listener": i, "length": length, "limit": limit}
            for i, (length, limit) in enumerate(q for q in queues if all(map(is_count, q)))
        ]
    for event in log.done.values():
        own = mapping(event.get("self"))
        tables["kernel"] += _kernel(log.key(event) | {"t_s": number(own.get("wall_ns")) / NS}, own)
    return tables


def own_rows(log: Log) -> list[Row]:
    """What agents and conductor used themselves in each trial that went, in order of time."""
    rows = []
    for event in log.of("own"):
        n, host = event["trial"], event["host"]
        go = count(log.go_ns.get(n) if host == "controller" else log.went.get(n, {}).get(host))
        at = count(event.get("t"))
        if go is not None and at is not None:
            rows.append(taken("own_samples", event) | log.key(event) | {"host": host, "t_s": (at - go) / NS})
    return sorted(rows, key=lambda row: (row["trial"], row["t_s"]))


def _kernel(key: Row, event: Event) -> list[Row]:
    counters = mapping(event.get("kernel"))
    return [
        key | {"counter": name, "value": value} for name, told in counters.items() if (value := count(told)) is not None
    ]


def worker_rows(log: Log) -> list[Row]:
    """One row per process of the server, as it stood at its end."""
    return [
        taken("workers", slot) | {"run": log.run, "trial": event["trial"], "worker": i}
        for event in log.of("stopped")
        if event["host"] == log.server and event["trial"] is not None
        for i, slot in enumerate(listing(event.get("workers")))
    ]
