"""Checks of the server's host: what its kernel refused, what was taken from it, who else worked there."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from analysis import format as show
from analysis.checks import beside
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.shared import (
    KEY,
    SYN_RETRIES,
    UNKNOWN,
    clients,
    counters,
    growth,
    of_server,
    overflows,
    percent,
    server_of,
    shares_cpus,
    totals,
    trials,
    where,
)
from analysis.model import Dataset
from contracts.declared import OUTCOMES, PASSED

# Counters that only grow where the kernel is short of memory for sockets.
MEMORY = ("TcpExt.TCPMemoryPressures", "TcpExt.TCPAbortOnMemory", "TcpExt.PruneCalled", "TcpExt.TCPRcvQDrop")
RETRIED_NS = 1_000_000_000
"""After so long without an answer the kernel sends a SYN again."""


def refused(dataset: Dataset) -> pd.DataFrame:
    """How many handshakes the server's full accept queue refused, where it did: run, trial, value."""
    table = of_server(dataset, totals(overflows(dataset)).merge(trials(dataset, OUTCOMES)[KEY], on=KEY))
    return where(table, table["value"] > 0)[[*KEY, "value"]]


def retried(dataset: Dataset) -> pd.DataFrame:
    """Handshakes of a good trial that took a lost SYN or more: run, trial, count, p99_ns of connecting."""
    table = clients(dataset)
    table = table.assign(count=table[SYN_RETRIES].fillna(0).sum(axis=1).astype(float))
    return table.groupby(KEY).agg(count=("count", "sum"), p99_ns=("connect_p99_ns", "first")).reset_index()


def own_backlogs(dataset: Dataset) -> dict[tuple[str, int], float]:
    """The accept queue of trials whose server itself asked for a shorter one than it was told and than the kernel
    allows: it calls listen() with a number of its own."""
    servers = server_of(dataset)
    table = dataset.listen_queue.merge(trials(dataset, OUTCOMES)[[*KEY, "backlog"]], on=KEY)
    table = table.dropna(subset=["limit", "backlog"]).groupby(KEY)[["limit", "backlog"]].min().reset_index()
    return {
        (row["run"], int(row["trial"])): float(row["limit"])
        for row in table.to_dict("records")
        if row["limit"] < row["backlog"] and row["limit"] < servers.get(row["run"], UNKNOWN).somaxconn
    }


def _own_remedy(limit: float | None) -> str | None:
    if limit is None:
        return None
    return f"The server itself listens with {limit:,.0f}: raise that in its listen(), or connect slower."


def sv1_connect_tail(dataset: Dataset) -> Iterable[Observation]:
    own = own_backlogs(dataset)
    for row in refused(dataset).merge(retried(dataset), on=KEY).query("count > 0").to_dict("records"):
        is_alone = beside.partner(dataset, row) is None
        full = "The accept queue was full" if is_alone else "The duet's accept queues were full"
        text = f"{full} {row['value']:,} times while connecting"
        text += f"; {show.count(row['count'])} handshakes took a second or more"
        if row["p99_ns"] >= RETRIED_NS:  # else the percentile is of those that were not
            text += f", p99 {show.time(row['p99_ns'])}"
        yield seen(
            row, text, row["value"], remedy=_own_remedy(own.get((row["run"], row["trial"]))), overflows=row["value"],
            retried=row["count"], connect_p99_ns=row["p99_ns"],
        )  # fmt: skip


def lq1_refused(dataset: Dataset) -> Iterable[Observation]:
    own = own_backlogs(dataset)
    for row in refused(dataset).to_dict("records"):
        text = f"A full accept queue on the server's host turned handshakes away {row['value']:,} times"
        remedy = _own_remedy(own.get((row["run"], row["trial"])))
        yield seen(row, text, row["value"], remedy=remedy, overflows=row["value"])


def sv2_backlog(dataset: Dataset) -> Iterable[Observation]:
    """One that the server itself chose, and that turned nobody away, explains and forbids nothing."""
    own, full = own_backlogs(dataset), {(row["run"], row["trial"]) for row in refused(dataset).to_dict("records")}
    table = dataset.listen_queue.merge(trials(dataset, PASSED)[[*KEY, "backlog"]], on=KEY)
    table = table.dropna(subset=["limit", "backlog"]).groupby(KEY)[["limit", "backlog"]].min().reset_index()
    for row in table[table["limit"] < table["backlog"]].to_dict("records"):
        key = row["run"], row["trial"]
        remedy = _own_remedy(own.get(key))
        severity = "info" if key in own and key not in full else None
        text = f"The accept queue holds {row['limit']:,} where {row['backlog']:,} were asked"
        text += ": the server listens with a number of its own" if remedy else ""
        size = row["backlog"] / max(1, row["limit"])
        yield seen(row, text, size, severity=severity, remedy=remedy, limit=row["limit"], asked=row["backlog"])


def sv3_memory(dataset: Dataset) -> Iterable[Observation]:
    table = counters(dataset).merge(trials(dataset)[KEY], on=KEY)
    for row in where(table, table["counter"].isin(MEMORY) & (table["value"] > 0)).to_dict("records"):
        text = f"{row['host']}'s kernel was short of memory for sockets: {row['counter']} {row['value']:,}"
        yield seen(row, text, row["value"], **{row["counter"]: row["value"]})
    for row in growth(dataset, dataset.server_samples, "major_faults").to_dict("records"):
        if row["growth"] > threshold("major_faults"):
            text = f"The server read memory from disk {row['growth']:,.0f} times in the window"
            yield seen(row, text, row["growth"], major_faults=row["growth"])


def sv4_kept_from_cpus(dataset: Dataset) -> Iterable[Observation]:
    servers = server_of(dataset)
    for row in growth(dataset, dataset.server_samples, "throttled_ns").to_dict("records"):
        share = row["growth"] / 1e9 / row["span_s"]
        if share > threshold("stolen"):
            text = f"Its cgroup withheld the CPU from the server for {percent(share)} of the time"
            yield seen(row, text, share, throttled_ns=row["growth"], share=share)
    for row in growth(dataset, of_server(dataset, dataset.host_samples), "steal_ns").to_dict("records"):
        share = row["growth"] / 1e9 / row["span_s"] / servers.get(row["run"], UNKNOWN).cpus
        if share > threshold("stolen"):
            text = f"The hypervisor took {percent(share)} of the server's CPUs"
            yield seen(row, text, share, steal_ns=row["growth"], share=share)


def sv5_neighbour(dataset: Dataset) -> Iterable[Observation]:
    servers, shared = server_of(dataset), shares_cpus(dataset)
    for row in growth(dataset, of_server(dataset, dataset.host_samples), "foreign_ns").to_dict("records"):
        # To a server that runs beside another the other one is no stranger.
        foreign = row["growth"] - beside.cpu_ns(dataset, row, row["t0"], row["t1"])
        share = foreign / 1e9 / row["span_s"] / servers.get(row["run"], UNKNOWN).cpus
        # Where the clients work on the server's CPUs they are the others: DS8 says that.
        if row["run"] not in shared and share > threshold("foreign"):
            text = f"Others used {percent(share)} of the server's CPUs"
            yield seen(row, text, share, foreign_ns=foreign, share=share)
