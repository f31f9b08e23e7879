"""Checks of the generators' schedule: was everything sent, and when it was due?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis import format as show
from analysis.checks import beside
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.shared import (
    KEY,
    UNKNOWN,
    client_rows,
    clients,
    host_of,
    number,
    once,
    paced,
    percent,
    server_of,
    server_threads,
    trials,
)
from analysis.model import Dataset
from contracts.declared import OUTCOMES

LOADED = ("ok", "invalid", "partial")


@once
def busy_cpus(dataset: Dataset, outcomes: tuple[str, ...] = ("ok",)) -> pd.DataFrame:
    """How much clients used of the CPUs that they share, those of the trial beside too: run, trial, hosts, cpus (of all
    together), share of these."""
    rows = []
    for row in client_rows(dataset, outcomes):
        host, name = host_of(dataset, row), str(row["host"])
        other = (beside.sender(dataset, row) if host.usable else None) or {}
        cpu_ns = row["cpu_user_ns"] + row["cpu_system_ns"]
        cpu_ns += sum(number(other.get(name), 0.0) for name in ("cpu_user_ns", "cpu_system_ns"))
        longest = max(number(one.get("wall_ns"), 0.0) for one in (row, other))
        rows.append(
            {
                "run": row["run"], "trial": row["trial"], "host": name,
                "place": json.dumps([host.machine, host.usable]) if host.machine and host.usable else name,
                "cpus": len(host.usable) if host.usable else number(row["processes"], 1.0),
                "used": cpu_ns / (longest or np.nan),
            }
        )  # fmt: skip
    if not rows:
        return pd.DataFrame(columns=[*KEY, "hosts", "cpus", "share"])
    places = pd.DataFrame(rows).groupby([*KEY, "place"], sort=False)
    made = places.agg(hosts=("host", lambda names: tuple(sorted(names))), cpus=("cpus", "max"), used=("used", "sum"))
    return made.assign(share=made["used"].astype(float) / made["cpus"].astype(float)).reset_index()


@once
def schedule(dataset: Dataset) -> pd.DataFrame:
    """How each paced trial kept its schedule, and who is to blame where it did not.

    `lag_ns`: median over the clients of their median lag; `gap_ns`: longest turn of a loop; `unsent`: share of the
    planned requests that the generator did not come to; `busy`: share of the generators' CPUs; `room`: the server used
    less than its `usable` CPUs, those that its threads can, and with the server beside it less than `usable_both`, of
    which the two used `both`; `is_generator`: the loops made requests late, not busy
    connections; `is_late`: so it is with the unsent ones.
    """
    table = paced(trials(dataset, LOADED))[
        [*KEY, "planned_requests", "sent_requests", "unsent_late_requests", "response_p50_ns", "server_cpu_share",
         "warmup", "window_s"]
    ]  # fmt: skip
    own = clients(dataset, LOADED).groupby(KEY).agg(lag_ns=("lag_p50_ns", "median"), gap_ns=("max_loop_gap_ns", "max"))
    busy = busy_cpus(dataset, LOADED).groupby(KEY).agg(busy=("share", "max"))
    table = table.merge(own.reset_index(), on=KEY, how="left").merge(busy.reset_index(), on=KEY, how="left")
    table["busy"] = table["busy"].astype(float)
    planned = table["planned_requests"].where(table["planned_requests"] > 0)
    # Older runs do not say whose doing it was: there a loop that was never late had to wait for busy connections.
    is_told = table["unsent_late_requests"].notna()
    table["unsent"] = (table["unsent_late_requests"] / planned).where(is_told, 1 - table["sent_requests"] / planned)
    table["usable"], table["both"], table["usable_both"] = _cpus(dataset, table)
    table["room"] = table["server_cpu_share"] < threshold("room") * table["usable"]
    table["room"] &= table["both"] < threshold("room") * table["usable_both"]
    # A loop makes no request later than its longest turn; what waits longer waits behind a busy connection.
    table["is_generator"] = (table["busy"] >= threshold("busy")) | ~(table["lag_ns"] > table["gap_ns"])
    table["is_late"] = table["is_generator"] | is_told
    return table


def _cpus(dataset: Dataset, table: pd.DataFrame) -> np.ndarray:
    """Of each trial how many CPUs its server can use; how many it and the one beside it used; how many both can."""
    threads, servers = server_threads(dataset), server_of(dataset)
    rows = []
    for row in table.to_dict("records"):
        there, own = servers.get(row["run"], UNKNOWN).cpus, threads.get((row["run"], row["trial"]), 1.0)
        start, seconds = number(row["warmup"], 0.0), row["window_s"]
        beside_ns = beside.cpu_ns(dataset, row, start, start + seconds) if seconds > 0 else 0.0
        other = beside.partner(dataset, row)
        both = own + (threads.get(other, 1.0) if other else 0.0)
        used = row["server_cpu_share"] + (beside_ns / 1e9 / seconds if beside_ns else 0.0)
        rows.append((max(1.0, min(own, there)), used, max(1.0, min(both, there))))
    return np.array(rows, dtype=float).reshape(-1, 3).T


def gn1_saturated(dataset: Dataset) -> Iterable[Observation]:
    for row in schedule(dataset).to_dict("records"):
        lag = number(row["lag_ns"], 0.0)
        is_small = lag <= threshold("late_share_of_median") * row["response_p50_ns"]
        is_late = lag > threshold("late_median") and not is_small
        if row["is_generator"] and row["room"] and (is_late or row["unsent"] > threshold("unsent")):
            text = (
                f"Half of the requests were sent more than {show.time(lag)} late and {percent(row['unsent'])} of them "
                f"never, while the server used {show.number(row['server_cpu_share'])} CPUs{_busy(row)}"
            )
            yield seen(row, text, max(lag, row["unsent"]), **_figures(row))


def gn4_unsent(dataset: Dataset) -> Iterable[Observation]:
    for row in schedule(dataset).to_dict("records"):
        if row["unsent"] > threshold("unsent"):
            late, held = f"the generators came late{_busy(row)}", "they waited behind connections still to be answered"
            cause, severity = (late, None) if row["is_late"] else (held, "warn")
            text = f"{percent(row['unsent'])} of the planned requests were never sent: {cause}"
            yield seen(row, text, row["unsent"], severity=severity, **_figures(row))


def _busy(row: Mapping[Any, Any]) -> str:
    return "" if np.isnan(row["busy"]) else f" (the generators {percent(row['busy'])} of their CPUs)"


def _figures(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("lag_ns", "gap_ns", "unsent", "busy", "server_cpu_share")}


def waited(dataset: Dataset) -> set[tuple[str, int]]:
    """Trials whose latest requests waited behind busy connections: later than any turn of a loop that had CPU to
    spare."""
    table = schedule(dataset).merge(trials(dataset, LOADED)[[*KEY, "lag_p99_ns"]], on=KEY)
    table = table[(table["lag_p99_ns"] > table["gap_ns"]) & ~(table["busy"] >= threshold("busy"))]
    return set(zip(table["run"], table["trial"].astype(int), strict=True))


def gn3_late_tail(dataset: Dataset) -> Iterable[Observation]:
    is_servers = waited(dataset)
    for row in paced(trials(dataset)).to_dict("records"):
        lag, response = row["lag_p99_ns"], row["response_p99_ns"]
        if (row["run"], row["trial"]) in is_servers:
            continue
        if lag > threshold("late_tail") and lag >= threshold("late_share_of_tail") * response:
            sent = f"One request in a hundred was sent more than {show.time(lag)} late"
            text = f"{sent}, where the p99 response is {show.time(response)}"
            yield seen(row, text, lag / response, lag_p99_ns=lag, response_p99_ns=response)


def lg1_very_late(dataset: Dataset) -> Iterable[Observation]:
    is_servers = waited(dataset)
    for row in paced(clients(dataset, OUTCOMES)).to_dict("records"):
        late_ms = row["lag_p99_ns"] / 1e6
        if (row["run"], row["trial"]) not in is_servers and row["lag_p99_ns"] > threshold("late_client"):
            text = f"{row['host']} sent one request in a hundred more than {late_ms:.1f} ms late"
            yield seen(row, text, late_ms, lag_p99_ms=late_ms)


def cl2_apart(dataset: Dataset) -> Iterable[Observation]:
    """Clients whose first requests lie further apart than chance explains. Of a workload without a schedule the server
    decides when a request is sent."""
    shares = clients(dataset, OUTCOMES).dropna(subset=["rate_share_per_s"])
    rarest = (
        shares[shares["rate_share_per_s"] > 0].groupby(KEY)["rate_share_per_s"].min().rename("rarest").reset_index()
    )
    for row in paced(trials(dataset, OUTCOMES)).merge(rarest, on=KEY, how="left").to_dict("records"):
        chance_ms = threshold("start_gaps") * 1000 / number(row["rarest"], math.inf)
        if row["start_skew_ms"] > threshold("start_skew") / 1e6 + chance_ms:
            text = f"The clients' first requests are {row['start_skew_ms']:.1f} ms apart"
            yield seen(row, text, row["start_skew_ms"], start_skew_ms=row["start_skew_ms"])
