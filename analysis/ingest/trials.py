"""One row per planned trial: what was held, how fast, how late, at what cost, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from analysis import histograms
from analysis.ingest import resources
from analysis.ingest.events import Event, Log, is_count
from analysis.ingest.fields import Row, count, listing, mapping, number, taken, text
from analysis.ingest.latency import COUNTED, PERCENTILES, Latency, own_quantile, share_above
from analysis.ingest.plan import plan_rows, traits
from analysis.statistics.fairness import jain
from contracts.declared import COUNTS, OUTCOMES, SETTLED

NAN = float("nan")
LATE_NS = 9e8  # of connecting: a SYN is sent again after a second
NS = 1_000_000_000

MISSING = tuple(name for name in SETTLED if name != "answered")
# Outcomes of ours, for trials that never ended and for those that never began.
UNFINISHED, NOT_RUN = "unfinished", "not run"
CUT_OFF = (UNFINISHED, "interrupted")
BY_ARRIVAL, BY_INTENDED_TIME = "arrival", "intended time"


@dataclass(frozen=True)
class Window:
    """What a trial measured, in nanoseconds after `go`. `settled`: the end of the span whose CPU time and replies make
    the cost; beyond `end` where every reply of the trial belongs to the window."""

    start_ns: float
    end_ns: float
    settled_ns: float

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / NS


def trial_rows(
    log: Log, intervals: pd.DataFrame, latency: Latency, samples: pd.DataFrame
) -> tuple[list[Row], list[str]]:
    """The rows of the table `trials`, and notes on what had to be left out. `intervals` are the decoded ones, `samples`
    the table server_samples."""
    by_trial, notes = dict(iter(intervals.groupby("trial"))), []
    samples = samples.dropna(subset=["processes", "cpu_user_ns", "cpu_system_ns", "rss_bytes"])
    samples = samples.assign(t_ns=(samples["t_s"] * NS).round())
    started, ended = log.last("trial", "started"), log.last("trial", "ended")
    limits, proofs, stopped = log.last("limit"), log.last("proof"), log.last("stopped")
    order = {n: place for place, n in enumerate(started, start=1)}
    merged = {kind: latency.merged(kind) for kind in ("service", "lag", "connect")}
    mentioned = {event["trial"] for event in log.events} | {event.get("n") for event in log.of("trial")}
    nothing: Row = {}  # what follows of a trial of which nothing was recorded: for all such the same
    rows = []
    for planned in plan_rows(log):
        n = planned["trial"]
        if nothing and n not in mentioned:
            rows.append(nothing | taken("trials", planned) | {"asked_connections": planned["connections"]})
            continue
        result = ended[n].get("result") if n in ended else None
        result = result if isinstance(result, dict) else None
        row = taken("trials", planned) | _fate(result, begun=n in started)
        row["limit"] = text(limits.get(n, {}).get("resource")) or None
        row["position"], row["asked_connections"] = order.get(n), row["connections"]
        row["held_connections"] = _held(result, proofs.get(n)) if traits(row["workload"]).holds else NAN

        mine = by_trial.get(n, intervals.iloc[:0])
        mine = mine[mine["phase"] == "load"]
        if row["outcome"] in CUT_OFF:
            mine = finished_part(mine, _clients(started.get(n), log))
        own = [event for (trial, _), event in log.done.items() if trial == n]
        at_ns = log.went.get(n, {})
        window = _window(result, row, mine)
        row["window_s"] = window.seconds if window else NAN
        row |= _requests(mine, window)
        row["surplus_replies"] = sum(e["surplus"] for e in own if is_count(e.get("surplus")))
        row["late_replies"] = sum(count(mapping(e.get("integrity")).get("late")) or 0 for e in own) if own else None
        found, bad = percentiles(mine)
        row |= found
        row |= {f"{kind}_p99_ns": own_quantile(its.get(n), "p99") for kind, its in merged.items()}
        row["connect_late_share"] = share_above(merged["connect"].get(n), LATE_NS)
        row["errors_share"] = row["errors_requests"] / row["planned_requests"] if row["planned_requests"] else NAN
        if bad:
            notes.append(f"trial {n}: {bad} histogram(s) cannot be read; the percentiles leave their intervals out.")
        if row["outcome"] == "ok" and (differing := _differing(result, row)):
            name, told = differing
            notes.append(f"trial {n}: its record says {told:,} {name}, its intervals {row[f'{name}_requests']:,.0f}.")
        row |= _server(samples[samples["trial"] == n], row, window if is_count(at_ns.get(log.server or "")) else None)
        said = mapping(result)
        row |= {name: number(said.get(name)) for name in ("start_skew_ms", "overhead_s")}
        row["generators_rss_bytes"] = _peaks(own)
        row["workers_fairness"] = _fairness(stopped.get(n, {}))
        row |= {name: count(stopped.get(n, {}).get(name)) for name in ("log_dropped_bytes", "disturbed")}
        rows.append(row | {"go_ns": count(said.get("go_ns"))})
        nothing = rows[-1] if n not in mentioned else nothing
    return rows, notes


def _fate(result: Row | None, *, begun: bool) -> Row:
    if result is None:
        return {"outcome": UNFINISHED if begun else NOT_RUN, "reason": None}
    outcome = result.get("outcome")
    return {"outcome": outcome if outcome in OUTCOMES else UNFINISHED, "reason": text(result.get("reason")) or None}


def _fairness(stopped: Mapping[str, Any]) -> float:
    """Of the connections of each server process, where there are several."""
    accepted = [count(mapping(slot).get("accepted")) or 0 for slot in listing(stopped.get("workers"))]
    return jain(accepted) if len(accepted) > 1 else NAN


def _held(result: Row | None, proof: Event | None) -> float:
    """Connections that answered a verified echo: from the trial's record, else from the last proof."""
    if result is not None and is_count(result.get("held")):
        return float(result["held"])
    return float(proof["clients"]) if proof is not None and is_count(proof.get("clients")) else NAN


def _clients(started: Event | None, log: Log) -> set[str]:
    """The clients whose intervals a second needs to be complete: those with requests to send."""
    shares = started.get("shares") if started else None
    if not isinstance(shares, dict):
        return set(log.clients)
    # A share of `open` load may be a rate of 0: such a client only holds.
    return {
        host
        for host, share in shares.items()
        if isinstance(share, dict) and share.get("rate", share.get("rate_per_s", 1)) != 0
    }


def finished_part(intervals: pd.DataFrame, clients: set[str]) -> pd.DataFrame:
    """Of a trial that did not end: the unbroken seconds, from the first on, that every client has reported."""
    reported = intervals[intervals["host"].isin(clients)].groupby("k")["host"].nunique()
    complete = sorted(int(k) for k in reported[reported == len(clients)].index) if clients else []
    return intervals[intervals["k"].isin(k for i, k in enumerate(complete) if k == complete[0] + i)]


def _window(result: Row | None, row: Row, intervals: pd.DataFrame) -> Window | None:
    if row["outcome"] in CUT_OFF:
        if intervals.empty:
            return None
        start, end = float(intervals["k"].min() * NS), float((intervals["k"].max() + 1) * NS)
        return Window(start, end, end)
    if row["outcome"] == "dnf" or intervals.empty:
        return None
    window = mapping(result.get("window") if result else None)
    if is_count(window.get("start_ns")) and is_count(window.get("end_ns")):
        start, end = float(window["start_ns"]), float(window["end_ns"])
    elif row["requests"]:
        return None
    else:
        start, end = float(row["warmup"] * NS), float((row["warmup"] + row["duration"]) * NS)
    # So many requests instead of so many seconds are few seconds, seldom whole ones: all CPU time to the server's last
    # sample is theirs.
    return Window(start, end, math.inf if row["requests"] else end) if end > start else None


def _requests(intervals: pd.DataFrame, window: Window | None) -> Row:
    """The sums of the counts, and the replies of each second of the window: of a number of requests all that were
    answered, else those that arrived in it, or where nobody told these those to the requests that were due in it."""
    if window is None or intervals.empty:
        return dict.fromkeys((*COUNTED, "errors_requests", "requests_per_s"), NAN) | {"counted_by": None}
    # A count that one interval lacks is not known.
    sums = {name: float(intervals[name].astype(float).sum(skipna=False)) for name in COUNTED}
    errors = sum(sums[f"{name}_requests"] for name in MISSING)
    replies, counted_by = sums["arrived_requests"], BY_ARRIVAL
    if math.isinf(window.settled_ns):
        replies = sums["answered_requests"]
    elif math.isnan(replies):
        replies, counted_by = sums["answered_requests"], BY_INTENDED_TIME
    return sums | {"errors_requests": errors, "requests_per_s": replies / window.seconds, "counted_by": counted_by}


def percentiles(intervals: pd.DataFrame, wanted: Mapping[str, Fraction] = PERCENTILES) -> tuple[dict[str, float], int]:
    """Response percentiles over planned requests, all clients merged, and how many histograms could not be read.

    An unreadable histogram takes its interval's requests along: counted as missing they would look like timeouts.
    """
    readable = [found is not None for found in intervals["response"]]
    total = histograms.dense(intervals["response"][readable])
    planned, bad = int(intervals["planned_requests"][readable].sum()), len(intervals) - sum(readable)
    found: dict[str, float] = {}
    for name, percent in wanted.items():
        rests_on = histograms.tail(planned, percent)
        withheld = rests_on < histograms.WITHHELD_BELOW
        found[f"response_{name}_ns"] = NAN if withheld else histograms.percentile_ns(total, planned, percent)
        found[f"response_{name}_tail_requests"] = float(rests_on)
    return found, bad


def _peaks(own: Sequence[Row]) -> float:
    """The most memory of each generator, summed; NaN where one does not say."""
    told = [number(mapping(event.get("self")).get("max_rss_bytes")) for event in own]
    return sum(told) if told else NAN


def _differing(result: Row | None, row: Row) -> tuple[str, int] | None:
    """The first count, and its value, in which the trial's record disagrees with the intervals at hand."""
    counts = result.get("counts") if result else None
    if not isinstance(counts, dict) or math.isnan(row["planned_requests"]):
        return None
    differing = (n for n in COUNTS if is_count(counts.get(n)) and counts[n] != row[f"{n}_requests"])
    return next(((name, counts[name]) for name in differing), None)


def _server(samples: pd.DataFrame, row: Row, window: Window | None) -> dict[str, float]:
    """CPU time of the window per reply of the window, microseconds; how many echoes that were by the server's own
    account; and memory per connection, bytes."""
    start, end, settled = (window.start_ns, window.end_ns, window.settled_ns) if window else (NAN, NAN, NAN)
    settled = float(samples["t_ns"].max()) if math.isinf(settled) else settled
    user, system = (resources.grown(samples, name, start, settled) for name in ("cpu_user_ns", "cpu_system_ns"))
    seconds = window.seconds if window else NAN
    # A lost client's replies are not all known, so the time cannot be shared out among them.
    replies = row["requests_per_s"] * seconds if row["outcome"] != "partial" and row["requests_per_s"] else NAN
    cost = (user + system) / replies / 1000
    memory, resolution = resources.rss_per_connection(samples, start, end)
    echoed = NAN
    if row["hostile"] is None and row["payload_bytes"] and resources.are_sampled(samples, start, settled):
        sent = resources.grown(samples, "bytes_out", start, settled) / row["payload_bytes"]
        echoed = NAN if math.isnan(sent) else round(sent)
    return {
        "echoed_requests": echoed,
        "cpu_us_per_request": cost,
        "cpu_user_us_per_request": user / replies / 1000,
        "cpu_system_us_per_request": system / replies / 1000,
        "requests_per_cpu_s": 1e6 / cost if cost else math.inf,
        "server_cpu_share": (user + system) / NS / seconds,
        "rss_bytes_per_connection": memory,
        "rss_resolution_bytes": resolution,
    }  # fmt: skip
