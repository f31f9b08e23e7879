"""One row per planned trial: what was held, how fast, how late, at what cost, and what became of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from analysis import histograms, resources
from analysis.events import Event, Log, is_count
from analysis.tables import COUNTS, FACTORS, MISSING, interval_table, last_of, plan_table, sample_table

NAN = float("nan")
NS = 1_000_000_000

PERCENTILES = {"p50": Fraction(50), "p99": Fraction(99), "p99_9": Fraction(999, 10)}
OUTCOMES = ("ok", "dnf", "partial", "invalid", "crashed", "interrupted")
# Outcomes of ours, for trials that never ended and for those that never began.
UNFINISHED, NOT_RUN = "unfinished", "not run"

COLUMNS = [
    "run", "n", "block", "cell", "control", *FACTORS, "outcome", "reason", "validity", "limit", "asked", "held",
    "window_s", *COUNTS, "errors", "surplus", "requests_per_s",
    *(f"{name}_ns" for name in PERCENTILES), *(f"{name}_tail" for name in PERCENTILES),
    "cpu_us_per_request", "cpu_user_us_per_request", "cpu_system_us_per_request", "rss_bytes_per_connection",
]  # fmt: skip


@dataclass(frozen=True)
class Window:
    """What a trial measured, in nanoseconds after `go`. `settled`: the end of what the server's CPU time belongs to."""

    start_ns: float
    end_ns: float
    settled_ns: float

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / NS


def trial_table(log: Log) -> tuple[pd.DataFrame, list[str]]:
    """The table, and notes on what it had to leave out."""
    intervals, notes = interval_table(log)
    table, more = of_intervals(log, intervals)
    return table, [*notes, *more]


def of_intervals(log: Log, intervals: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """As trial_table, of the decoded intervals of the log."""
    notes: list[str] = []
    by_trial = dict(iter(intervals.groupby("trial")))
    samples, plan = sample_table(log), plan_table(log)
    started, ended = last_of(log, "trial", "started"), last_of(log, "trial", "ended")
    went, limits, proofs = last_of(log, "went"), last_of(log, "limit"), last_of(log, "proof")
    rows = []
    for planned in plan.to_dict("records"):
        n = planned["n"]
        row: dict[str, Any] = {"run": log.run, **{str(key): value for key, value in planned.items()}}
        result = ended[n].get("result") if n in ended else None
        result = result if isinstance(result, dict) else None
        row |= _fate(result, begun=n in started)
        row["limit"] = _text(limits.get(n, {}).get("resource"))
        row["asked"] = planned["connections"]
        row["held"] = NAN if planned["workload"] == "churn" else _held(result, proofs.get(n))

        mine = by_trial.get(n, intervals.iloc[:0])
        mine = mine[mine["phase"] == "load"]
        if row["outcome"] in (UNFINISHED, "interrupted"):
            mine = finished_part(mine, _clients(started.get(n), log))
        dones = [event for event in log.of("done", trial=n) if event["host"] in log.clients]
        at_ns = went.get(n, {}).get("at_ns")
        at_ns = at_ns if isinstance(at_ns, dict) else {}
        window = _window(result, row, mine, dones, at_ns)
        row["window_s"] = window.seconds if window else NAN
        row |= _requests(mine, window)
        row["surplus"] = sum(e["surplus"] for e in dones if is_count(e.get("surplus")))
        latency, bad = percentiles(mine)
        row |= latency
        if bad:
            notes.append(f"trial {n}: {bad} histogram(s) cannot be read; the percentiles leave their intervals out.")
        if row["outcome"] == "ok" and (differing := _differing(result, row)):
            notes.append(
                f"trial {n}: its record says {differing[1]:,} {differing[0]}, its intervals {int(row[differing[0]]):,}."
            )
        row |= _server(samples[samples["trial"] == n], row, window, at_ns.get(log.server or ""))
        rows.append(row)
    # As objects: pandas would make 1000.0 of the 1000 beside a None.
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object), notes


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _fate(result: dict[str, Any] | None, *, begun: bool) -> dict[str, Any]:
    if result is None:
        return {"outcome": UNFINISHED if begun else NOT_RUN, "reason": None, "validity": None}
    outcome = result.get("outcome")
    return {
        "outcome": outcome if outcome in OUTCOMES else UNFINISHED,
        "reason": _text(result.get("reason")),
        "validity": _text(result.get("validity")),
    }


def _held(result: dict[str, Any] | None, proof: Event | None) -> float:
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
    rates = {
        host: share.get("rate", share.get("rate_per_s", 1)) for host, share in shares.items() if isinstance(share, dict)
    }
    return {host for host, rate in rates.items() if rate != 0}


def finished_part(intervals: pd.DataFrame, clients: set[str]) -> pd.DataFrame:
    """Of a trial that did not end: the unbroken seconds, from the first on, that every client has reported."""
    reported = intervals[intervals["host"].isin(clients)].groupby("k")["host"].nunique()
    complete = {int(k) for k in reported[reported == len(clients)].index}
    wanted: list[int] = []
    if complete and clients:
        k = min(complete)
        while k in complete:
            wanted.append(k)
            k += 1
    return intervals[intervals["k"].isin(wanted)]


def _window(
    result: dict[str, Any] | None,
    row: dict[str, Any],
    intervals: pd.DataFrame,
    dones: list[Event],
    at_ns: dict[str, Any],
) -> Window | None:
    if row["outcome"] in (UNFINISHED, "interrupted"):
        if intervals.empty:
            return None
        start, end = float(intervals["k"].min() * NS), float((intervals["k"].max() + 1) * NS)
        return Window(start, end, end)
    if row["outcome"] == "dnf" or intervals.empty:
        return None
    if row["requests"]:
        # So many requests instead of so many seconds: from the first to the last of them, each on its own host's clock.
        edges = [
            (event["first_send_ns"] - at_ns[event["host"]], event["last_send_ns"] - at_ns[event["host"]])
            for event in dones
            if all(
                is_count(x) for x in (event.get("first_send_ns"), event.get("last_send_ns"), at_ns.get(event["host"]))
            )
        ]
        if not edges:
            return None
        # The answers to the last of them are still to come: CPU time is counted to the server's last sample.
        return Window(min(first for first, _ in edges), max(last for _, last in edges), math.inf)
    window = result.get("window") if result else None
    if isinstance(window, dict) and is_count(window.get("start_ns")) and is_count(window.get("end_ns")):
        start, end = float(window["start_ns"]), float(window["end_ns"])
    else:
        start, end = float(row["warmup"] * NS), float((row["warmup"] + row["duration"]) * NS)
    return Window(start, end, end) if end > start else None


def _requests(intervals: pd.DataFrame, window: Window | None) -> dict[str, float]:
    """The sums of the counts, and requests/s answered within the window."""
    if window is None or intervals.empty:
        return dict.fromkeys((*COUNTS, "errors", "requests_per_s"), NAN)
    sums = {name: float(intervals[name].sum()) for name in COUNTS}
    errors = sum(sums[name] for name in MISSING)
    return sums | {"errors": errors, "requests_per_s": sums["answered"] / window.seconds if window.seconds > 0 else NAN}


def percentiles(intervals: pd.DataFrame, wanted: Mapping[str, Fraction] = PERCENTILES) -> tuple[dict[str, float], int]:
    """Response percentiles over planned requests, all clients merged, and how many histograms could not be read.

    An unreadable histogram takes its interval's requests along: counted as missing they would look like timeouts.
    """
    readable = [found is not None for found in intervals["response"]]
    total = histograms.dense(intervals["response"][readable])
    planned, bad = int(intervals["planned"][readable].sum()), len(intervals) - sum(readable)
    found: dict[str, float] = {}
    for name, percent in wanted.items():
        rests_on = histograms.tail(planned, percent)
        withheld = rests_on < histograms.WITHHELD_BELOW
        found[f"{name}_ns"] = NAN if withheld else histograms.percentile_ns(total, planned, percent)
        found[f"{name}_tail"] = float(rests_on)
    return found, bad


def _differing(result: dict[str, Any] | None, row: dict[str, Any]) -> tuple[str, int] | None:
    """The first count, and its value, in which the trial's record disagrees with the intervals at hand."""
    counts = result.get("counts") if result else None
    if not isinstance(counts, dict) or math.isnan(row["planned"]):
        return None
    return next(
        ((name, counts[name]) for name in COUNTS if is_count(counts.get(name)) and counts[name] != row[name]), None
    )


def _server(samples: pd.DataFrame, row: dict[str, Any], window: Window | None, server_go: object) -> dict[str, float]:
    """CPU time per answered request, microseconds, and memory per connection, bytes."""
    start = end = None
    cpu = resources.NO_CPU
    if window is not None and isinstance(server_go, int) and not samples.empty:
        start, end = server_go + window.start_ns, server_go + window.end_ns
        last = float(samples["t_ns"].max())
        cpu = resources.cpu_between(
            samples, start, last if math.isinf(window.settled_ns) else server_go + window.settled_ns
        )
    # A lost client's answers are not all known, so the time cannot be shared out among them.
    answered = row["answered"] if row["outcome"] != "partial" and row["answered"] else NAN
    per_request = {
        "cpu_us_per_request": cpu.total_ns / answered / 1000,
        "cpu_user_us_per_request": cpu.user_ns / answered / 1000,
        "cpu_system_us_per_request": cpu.system_ns / answered / 1000,
    }
    loaded_in = (start, end) if row["outcome"] != "dnf" else (None, None)
    return per_request | {"rss_bytes_per_connection": resources.rss_per_connection(samples, row["held"], *loaded_in)}
