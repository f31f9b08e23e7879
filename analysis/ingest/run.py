"""A run's directory as a dataset of raw tables: nothing here estimates or judges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import histograms
from analysis.commands.summary import UNITS
from analysis.events import Log, is_calibration, read
from analysis.model import TABLES, Dataset, frame
from analysis.tables import COUNTS, interval_table, last_of
from analysis.trials import PERCENTILES, trial_table

NS = 1e9
KINDS = ("service", "lag", "connect", "loop_lag")
SAMPLE_COLUMNS = ("processes", "threads", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "fds", "minor_faults",
                  "major_faults", "voluntary_switches", "involuntary_switches", "established", "open", "accepted",
                  "bytes_in", "bytes_out", "accept_queue", "throttled_ns", "edges_only")  # fmt: skip
HEAT_EDGES_NS = np.geomspace(1e3, 6e10, 61)
P999 = PERCENTILES["p99_9"]


def ingest(given: str) -> Dataset:
    """All raw tables of one run. Raises events.Unreadable where there is nothing to read."""
    log = read(given)
    manifest = _json(log.path.parent / "manifest.json")
    old, notes = trial_table(log)
    whole, by_client, seconds, clients, heat = _histograms(log)
    tables: dict[str, Any] = {
        "runs": [_run(log, manifest, given)],
        "trials": _trials(log, old, whole),
        "hosts": _hosts(log, manifest),
        "intervals": clients,
        "seconds": seconds,
        "histograms": by_client,
        "heat": heat,
        **_samples(log),
        "workers": _workers(log),
        "generators": _generators(log, whole),
        "clocks": _clocks(log),
        "proofs": _proofs(log),
        "errors": _errors(log),
        "findings": _findings(log),
    }
    return Dataset.of([*log.notes, *notes], **tables)


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _run(log: Log, manifest: dict[str, Any], given: str) -> dict[str, Any]:
    planned = [trial for trial in log.plan["trials"] if not is_calibration(trial)]
    exits = [event.get("exit") for event in log.of("run") if event.get("state") == "ended"]
    parameters, git = manifest.get("parameters", {}), manifest.get("git", {})
    return {
        "run": log.run, "path": given, "status": manifest.get("status"), "exit": exits[-1] if exits else None,
        "started_utc": manifest.get("started_utc"), "ended_utc": manifest.get("ended_utc"),
        "seed": manifest.get("seed"), "slo": parameters.get("slo", "p99=10ms"),
        "repetitions": max(trial["block"] for trial in planned), "trials_planned": len(planned),
        "is_whole": log.trailer, "is_calibrated": any(is_calibration(t) for t in log.plan["trials"]),
        "git_commit": git.get("commit"), "git_dirty": git.get("dirty"), "parameters": json.dumps(parameters),
        "versions": json.dumps(manifest.get("versions", {})), "tuning": json.dumps(manifest.get("tuning", {})),
        "overhead": json.dumps(manifest.get("overhead")),
    }  # fmt: skip


def _hosts(log: Log, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    facts = manifest.get("hosts", {})
    return [
        {"run": log.run, "host": name, "role": host.get("role"), "load_address": host.get("load_address"),
         "cpus": json.dumps(host["cpus"]) if host.get("cpus") is not None else None,
         "facts": json.dumps(facts.get(name, {}))}
        for name, host in log.plan["hosts"].items()
    ]  # fmt: skip


def _trials(log: Log, old: pd.DataFrame, whole: dict[tuple[int, str, str], np.ndarray]) -> pd.DataFrame:
    table = old.rename(columns=UNITS)
    order = {event["trial"]: i for i, event in enumerate(
        [e for e in log.of("trial") if e.get("state") == "started"], start=1)}  # fmt: skip
    ended = {n: e.get("result", {}) for n, e in last_of(log, "trial", "ended").items()}
    table["position"] = [order.get(n) for n in table["trial"]]
    table["requests_per_cpu_s"] = 1e6 / table["cpu_us_per_request"].astype(float)
    table["server_cpu_share"] = (
        table["cpu_us_per_request"].astype(float) / 1e6 * table["answered_requests"].astype(float)
        / table["window_s"].astype(float)
    )  # fmt: skip
    for kind in ("service", "lag", "connect"):
        table[f"{kind}_p99_ns"] = [_quantile(sum_of(whole, n, kind)) for n in table["trial"]]
    for name in ("start_skew_ms", "go_ns", "overhead_s"):
        table[name] = [ended.get(n, {}).get(name) for n in table["trial"]]
    late: dict[int, int] = {}
    for event in log.of("done"):
        late[event["trial"]] = late.get(event["trial"], 0) + event.get("integrity", {}).get("late", 0)
    table["late_replies"] = [late.get(n) for n in table["trial"]]
    return frame("trials", table[[name for name in table.columns if name in TABLES["trials"].columns]])


def sum_of(whole: dict[tuple[int, str, str], np.ndarray], trial: int, kind: str) -> np.ndarray:
    return histograms.add(counts for (n, _, k), counts in whole.items() if (n, k) == (trial, kind))


def _quantile(counts: np.ndarray, planned: float | None = None, percent: Any = PERCENTILES["p99"]) -> float:
    total = int(counts.sum()) if planned is None else int(planned)
    if histograms.tail(total, percent) < histograms.WITHHELD_BELOW:
        return float("nan")
    return histograms.percentile_ns(counts, total, percent)


def _histograms(log: Log) -> Any:
    """Exact sums per trial, client and kind; and per second the percentiles and the heat map's bins."""
    intervals = interval_table(log)[0]
    bounds = {(e["trial"], h): c.get("bound_ns") for e in log.of("clocks") for h, c in e.get("clocks", {}).items()}
    whole: dict[tuple[int, str, str], np.ndarray] = {}
    clients, seconds, heat = [], [], []
    values = np.array([histograms.highest_value_ns(i) for i in range(histograms.SLOTS)], dtype=float)
    bins = np.clip(np.searchsorted(HEAT_EDGES_NS, values, side="left") - 1, 0, len(HEAT_EDGES_NS) - 2)
    for (n, k, phase), rows in intervals.groupby(["trial", "k", "phase"], sort=True):
        total = histograms.empty()
        worst = float("nan")
        for row in rows.to_dict("records"):
            try:
                counts = histograms.decode(row["response"])
            except histograms.BadHistogram:
                continue
            total += counts
            if phase == "load":
                key = (n, row["host"], "response")
                whole[key] = whole.get(key, 0) + counts
            bound = bounds.get((n, row["host"]), float("nan"))
            worst = max(bound, worst) if worst == worst else bound
            clients.append(_second(log.run, row, row["host"], counts, values, bound))
        sums = {"trial": n, "k": k, "phase": phase} | {name: int(rows[name].sum()) for name in COUNTS}
        seconds.append(_second(log.run, sums, None, total, values, worst))
        coarse = np.bincount(bins, weights=total, minlength=len(HEAT_EDGES_NS) - 1)
        heat += [
            {"run": log.run, "trial": n, "k": k, "low_ns": HEAT_EDGES_NS[b], "high_ns": HEAT_EDGES_NS[b + 1],
             "count": int(coarse[b])} for b in np.flatnonzero(coarse)
        ]  # fmt: skip
    for event in log.of("done"):
        for kind in KINDS:
            try:
                whole[event["trial"], event["host"], kind] = histograms.decode(event.get(kind))
            except histograms.BadHistogram:
                continue
    parts = []
    for (n, host, kind), counts in whole.items():
        slots = np.flatnonzero(counts)
        parts.append(pd.DataFrame({"run": log.run, "trial": n, "host": host, "kind": kind, "slot": slots,
                                   "count": counts[slots]}))  # fmt: skip
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return whole, table, seconds, clients, heat


def _second(
    run: str, row: dict[Any, Any], host: str | None, counts: np.ndarray, values: np.ndarray, bound: float
) -> dict[str, Any]:
    filled = np.flatnonzero(counts)
    return {
        "run": run, "trial": row["trial"], "host": host, "k": row["k"], "phase": row["phase"], "t_s": float(row["k"]),
        "bound_ns": bound, **{f"{name}_requests": row[name] for name in COUNTS},
        "response_p50_ns": _quantile(counts, row["planned"], PERCENTILES["p50"]),
        "response_p99_ns": _quantile(counts, row["planned"]),
        "response_max_ns": float(values[filled[-1]]) if len(filled) else float("nan"),
    }  # fmt: skip


def _samples(log: Log) -> dict[str, list[dict[str, Any]]]:
    went = {n: e.get("at_ns", {}).get(log.server) for n, e in last_of(log, "went").items()}
    bounds = {e["trial"]: e["clocks"].get(log.server, {}).get("bound_ns") for e in log.of("clocks")}
    tables: dict[str, list[dict[str, Any]]] = {
        "server_samples": [], "host_samples": [], "kernel": [], "listen_queue": []
    }  # fmt: skip
    for event in log.of("sample"):
        n = event["trial"]
        if event["host"] != log.server or went.get(n) is None:
            continue
        key = {"run": log.run, "trial": n, "t_s": (event["t"] - went[n]) / NS}
        bound = {"bound_ns": bounds.get(n)}
        tables["server_samples"].append(key | bound | {name: event.get(name) for name in SAMPLE_COLUMNS})
        tables["host_samples"].append(
            key
            | bound
            | {"host": log.server}
            | {name: event.get(name) for name in ("foreign_ns", "steal_ns", "agent_ns")}
        )
        tables["kernel"] += [
            key | {"host": log.server, "counter": c, "value": v} for c, v in event.get("kernel", {}).items()
        ]
        tables["listen_queue"] += [
            key | {"listener": i, "length": length, "limit": limit}
            for i, (length, limit) in enumerate(event.get("accept_queues") or [])
        ]
    for event in log.of("done"):
        own = event.get("self", {})
        key = {"run": log.run, "trial": event["trial"], "t_s": own.get("wall_ns", float("nan")) / NS}
        tables["kernel"] += [
            key | {"host": event["host"], "counter": c, "value": v} for c, v in own.get("kernel", {}).items()
        ]
    return tables


def _workers(log: Log) -> list[dict[str, Any]]:
    return [
        {"run": log.run, "trial": event["trial"], "worker": i}
        | {name: slot.get(name) for name in ("accepted", "peak", "closed", "bytes_in", "bytes_out")}
        for event in log.of("stopped") if event["host"] == log.server
        for i, slot in enumerate(event.get("workers") or [])
    ]  # fmt: skip


def _generators(log: Log, whole: dict[tuple[int, str, str], np.ndarray]) -> list[dict[str, Any]]:
    shares = {n: e.get("shares", {}) for n, e in last_of(log, "trial", "started").items()}
    went = {n: e.get("at_ns", {}) for n, e in last_of(log, "went").items()}
    armed = {(e["trial"], e["host"]): e for e in log.of("armed")}
    ceilings = {n: e.get("result", {}).get("ceiling") or {} for n, e in last_of(log, "trial", "ended").items()}
    rows = []
    for event in log.of("done"):
        n, host, own = event["trial"], event["host"], event.get("self", {})
        share, start = shares.get(n, {}).get(host, {}), armed.get((n, host), {})
        response = whole.get((n, host, "response"), histograms.empty())
        planned = event.get("totals", {}).get("load", {}).get("planned", 0)
        rows.append(
            {"run": log.run, "trial": n, "host": host, "connections_share": share.get("connections"),
             "rate_share_per_s": share.get("rate_per_s"), **{name: own.get(name) for name in (
                 "processes", "wall_ns", "cpu_user_ns", "cpu_system_ns", "max_rss_bytes", "steal_ns", "throttled_ns",
                 "gc_pause_ns", "max_loop_gap_ns", "sent_per_s", "answered_per_s")},
             "lag_p50_ns": _quantile(whole.get((n, host, "lag"), histograms.empty()), None, PERCENTILES["p50"]),
             "lag_p99_ns": _quantile(whole.get((n, host, "lag"), histograms.empty())),
             "loop_lag_p99_ns": _quantile(whole.get((n, host, "loop_lag"), histograms.empty())),
             "response_p99_ns": _quantile(response, planned),
             "armed": event.get("connections", {}).get("armed"), "lost": event.get("connections", {}).get("lost"),
             "retries": start.get("retries"),
             **{f"syn_retries_{i}": start.get("syn_retries", {}).get(str(i)) for i in (1, 2, 3)},
             "over_60s": sum((event.get("over_60s") or {}).values()),
             **{name: event.get("integrity", {}).get(name) for name in (
                 "corrupt", "truncated", "duplicated", "reordered", "crossed", "foreign", "late")},
             "first_send_ns": (event.get("first_send_ns") or float("nan")) - went.get(n, {}).get(host, float("nan")),
             "ceiling_per_s": ceilings.get(n, {}).get(host, {}).get("sends_per_s"),
             "send_gaps_ns": json.dumps(own.get("send_gaps_ns") or [])}
        )  # fmt: skip
    return rows


def _clocks(log: Log) -> list[dict[str, Any]]:
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for event in log.of("clocks"):
        for host, clock in event.get("clocks", {}).items():
            row = found.setdefault((event["trial"], host), {"run": log.run, "trial": event["trial"], "host": host})
            if event.get("when") == "before":
                row |= {"offset_ns": clock.get("offset_ns"), "bound_ns": clock.get("bound_ns")}
            else:
                row["offset_after_ns"] = clock.get("offset_ns")
    return list(found.values())


def _proofs(log: Log) -> list[dict[str, Any]]:
    asked = {t["n"]: t["load"]["connections"] for t in log.plan["trials"]}
    counts = ("kernel", "server", "clients")
    rows = [
        {"run": log.run, "trial": e["trial"], "moment": e.get("when"), "asked": asked.get(e["trial"])}
        | {name: e.get(name) for name in counts} for e in log.of("proof")
    ]  # fmt: skip
    return rows + [
        {"run": log.run, "trial": e["trial"], "moment": f"step {e.get('n')}", "asked": e.get("connections"),
         "arm_s": e.get("arm_s")} | {name: e.get(name) for name in counts} for e in log.of("step")
    ]  # fmt: skip


def _errors(log: Log) -> list[dict[str, Any]]:
    names = ("phase", "cause", "blame", "errno", "count", "first")
    rows = [
        {"run": log.run, "trial": e["trial"], "host": e["host"]} | {name: one.get(name) for name in names}
        for e in log.of("done") for one in e.get("errors") or []
    ]  # fmt: skip
    return rows + [
        {"run": log.run, "trial": e["trial"], "host": e["host"], "phase": e.get("phase"), "cause": e.get("cause"),
         "blame": None, "errno": None, "count": 1, "first": e.get("message")} for e in log.of("error")
    ]  # fmt: skip


def _findings(log: Log) -> list[dict[str, Any]]:
    return [
        {"run": log.run, "check": finding.get("id"), "severity": finding.get("severity"), "scope": "trial",
         "cells": json.dumps([event["result"].get("cell")]), "trials": json.dumps([event["trial"]]),
         "hosts": "[]", "message": finding.get("message"), "matters": None, "remedy": finding.get("remedy"),
         "evidence": json.dumps(finding.get("evidence"))}
        for event in log.of("trial") if event.get("state") == "ended"
        for finding in event.get("result", {}).get("findings") or []
    ]  # fmt: skip
