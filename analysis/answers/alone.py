"""What is said of the one server that a run measured: what it held, how fast it answered, what room it had."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers import limit
from analysis.answers.doubt import doubts, named
from analysis.checks.shared import server_of
from analysis.ingest.plan import traits
from analysis.model import Dataset

ROOMY = 0.7  # up to here it has room; between the two nobody can tell
KEPT_FROM_CPUS = ("SV4", "SV5")


def estimate(dataset: Dataset, row: dict[Any, Any], metric: str) -> pd.Series | None:
    """The row of `estimates`; None where there is no value."""
    e = dataset.estimates
    found = e[(e["run"] == row["run"]) & (e["cell"] == row["cell"]) & (e["metric"] == metric) & e["value"].notna()]
    return None if found.empty else found.iloc[0]


def load(row: dict[Any, Any]) -> str:
    """The load of a row of `cells` in words, such as `10,000 connections and 2,000 requests/s`."""
    connections = f"{show.count(float(row['connections']))} connections"
    its = traits(row["workload"])
    if its.paced and not its.holds:
        return f"{show.count(row['rate'])} newcomers/s, a request of each"
    if not its.holds:
        return f"{show.count(float(row['connections']))} requests in flight, a connection for each"
    idle = 0 if pd.isna(row["active"]) else float(row["connections"]) - float(row["active"])
    connections += f", {show.count(idle)} of them idle," if idle else ""
    if not its.paced:
        return f"{connections} in a closed loop"
    return connections if pd.isna(row["rate"]) else f"{connections} and {show.count(row['rate'])} requests/s"


def sentence(dataset: Dataset, good: pd.DataFrame) -> str:
    """What the last of these rows of `cells` held, how fast it answered and what a request cost it; of a figure that a
    finding forbids to use that instead."""
    row = good.to_dict("records")[-1]
    parts = [f"{row['label']} held {show.count(float(row['held_connections']))} of {load(row)}"]
    if not traits(row["workload"]).holds:
        parts = [f"{row['label']} served {load(row)}"]
    came = estimate(dataset, row, "throughput")
    if _is_overloaded(dataset, row) and came is not None:
        held, asked = (show.count(float(row[name])) for name in ("held_connections", "connections"))
        answered, rate = show.number(float(came["value"])), show.count(row["rate"])
        slow = f"does not sustain {rate} requests/s: it answered {answered}/s"
        if others := _kept_from_cpus(dataset, row):
            slow = f"answered {answered} of {rate} requests/s on CPUs that it had not to itself ({others}), so what it "
            slow += "sustains is not shown"
        holds = traits(row["workload"]).holds
        parts = [f"{row['label']} held {held} of {asked} connections and {slow}" if holds else f"{row['label']} {slow}"]
    doubt = doubts(dataset)
    bars = {name: doubt.get((row["run"], row["cell"], name), ()) for name in ("p50", "p99", "cpu")}
    p50, p99, cost = (None if bars[name] else estimate(dataset, row, name) for name in bars)
    if told := _late(p50, p99):
        parts.append(told)
    if cost is not None:
        spent = f"and spent {show.number(float(cost['value']))} µs of server CPU on each request"
        parts.append(spent + (" beside another server" if row["duet"] else ""))
    by: dict[tuple[str, ...], list[str]] = {}
    for name, checks in bars.items():
        if checks:
            by.setdefault(checks, []).append(name)
    barred = [f"its {named(tuple(names))} must not be used ({', '.join(checks)})" for checks, names in by.items()]
    return "; ".join([", ".join(parts), *barred]) + "."


def _late(p50: pd.Series | None, p99: pd.Series | None) -> str:
    """How fast it answered, or that it did not in time."""
    if p50 is not None and math.isinf(float(p50["value"])):
        return "and less than half of the requests in time"
    median = "" if p50 is None else f"half of them within {show.time(float(p50['value']))}"
    if p99 is not None and math.isinf(float(p99["value"])):
        tail = "more than 1 % not in time"
    else:
        tail = "" if p99 is None else f"99 % within {show.time(float(p99['value']))}{_interval_ns(p99)}"
    told = ", ".join(part for part in (median, tail) if part)
    return f"answered {told}" if told else ""


def _is_overloaded(dataset: Dataset, row: dict[Any, Any]) -> bool:
    """Whether a finding says that the server does not sustain the load of this cell."""
    return "SV6" in doubts(dataset).get((row["run"], row["cell"], "cpu"), ())


def _kept_from_cpus(dataset: Dataset, row: dict[Any, Any]) -> str:
    """The findings that others had the server's CPUs, where its own processes did not fill them."""
    if row["duet"]:
        return "another server ran beside it"
    used, there = _cpus(dataset, row)
    found = doubts(dataset).get((row["run"], row["cell"], "p99"), ())
    return "" if used >= limit.BUSY * there else ", ".join(one for one in found if one in KEPT_FROM_CPUS)


def _interval_ns(row: pd.Series) -> str:
    low, high = float(row["low"]), float(row["high"])
    return "" if low != low else f" [{show.time(low)}, {show.time(high)}]"


def limited(row: dict[Any, Any]) -> str:
    """Where a row of `cells` stopped at its limit."""
    held, asked = show.count(float(row["held_connections"])), show.count(float(row["connections"]))
    limit = "" if pd.isna(row["limit"]) else f": {show.visible(str(row['limit']))}"
    return f"{row['label']} held {held} of {asked} connections and met a limit of its own{limit}."


def room(dataset: Dataset, good: pd.DataFrame) -> str:
    """Whether the server's CPUs were what limited it; said only where that is plain."""
    row = good.to_dict("records")[0]
    used, there = _cpus(dataset, row)
    if used != used or not there or row["duet"]:
        return ""
    text = f"Its processes used {show.number(used, most=2)} of {there} CPU{'s' if there > 1 else ''}"
    if used >= limit.BUSY * there:
        return f"{text}: that was its limit."
    has_room = used <= ROOMY and not _is_overloaded(dataset, row)
    return f"{text}: it had room." if has_room else f"{text}."


def _cpus(dataset: Dataset, row: dict[Any, Any]) -> tuple[float, int]:
    """How many CPUs the server used, and how many it could have; nan and 0 where that is not known."""
    trials = dataset.trials[(dataset.trials["run"] == row["run"]) & (dataset.trials["cell"] == row["cell"])]
    used = float(trials.loc[trials["outcome"] == "ok", "server_cpu_share"].median())
    host = server_of(dataset).get(row["run"])
    return used, len(host.usable or ()) if host else 0
