"""The events as tidy tables, one row per planned trial, per interval, per sample. No arithmetic here."""

import re
from typing import Any

import pandas as pd

from analysis import histograms
from analysis.events import Event, Log, is_calibration, is_count

SETTLED = ("answered", "timed_out", "censored", "dropped", "mismatched", "failed")
MISSING = SETTLED[1:]
COUNTS = ("planned", "sent", *SETTLED)
OWN_SERVER = "own server"

SERVER_FACTORS = {"port": "server_port", "ports": "server_ports", "backlog": "backlog", "workers": "workers"}
LOAD_FACTORS = (
    "workload",
    "connections",
    "active",
    "rate",
    "requests",
    "arrival",
    "pipeline",
    "think_time",
    "steps",
    "hostile",
    "payload_bytes",
    "connect_rate",
    "warmup",
    "duration",
    "timeout",
    "arm_timeout",
    "generator",
)
FACTORS = ("strategy", "command", *SERVER_FACTORS, *LOAD_FACTORS)

SAMPLE_FIELDS = {
    "t": "t_ns",
    "cpu_user_ns": "cpu_user_ns",
    "cpu_system_ns": "cpu_system_ns",
    "rss_bytes": "rss_bytes",
    "processes": "processes",
}


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that puts c2 before c10."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in re.findall(r"[0-9]+|[^0-9]+", name))


def plan_table(log: Log) -> pd.DataFrame:
    """One row per planned trial: n, block, cell, control and every factor. Trials of a block are in random order, so
    the order of the plan is that of its cells. A calibration measures no server, and is none of them."""
    rows = []
    for trial in log.plan["trials"]:
        if is_calibration(trial):
            continue
        server, load = trial["server"], trial["load"]
        row: dict[str, Any] = {name: trial[name] for name in ("n", "block", "cell")}
        row["control"] = trial.get("control") is True
        row["strategy"] = server.get("strategy") or OWN_SERVER
        row["command"] = server.get("server_command")
        row |= {name: server.get(own) for name, own in SERVER_FACTORS.items()} | {
            name: load.get(name) for name in LOAD_FACTORS
        }
        hostile = load.get("hostile")
        # As a person gives it on the command line.
        row["hostile"] = f"{hostile.get('kind')}:{hostile.get('connections')}" if isinstance(hostile, dict) else None
        rows.append(row)
    return pd.DataFrame(rows, columns=["n", "block", "cell", "control", *FACTORS], dtype=object)


def interval_table(log: Log) -> tuple[pd.DataFrame, list[str]]:
    """One row per interval event: trial, host, k, phase, the counts, and in `response` the decoded histogram, None
    where it cannot be read or does not hold what was answered."""
    rows, bad = [], 0
    for event in log.of("interval"):
        if all(is_count(event.get(name)) for name in ("trial", "k", *COUNTS)) and isinstance(event.get("phase"), str):
            rows.append({name: event.get(name) for name in ("trial", "host", "k", "phase", *COUNTS, "response")})
        else:
            bad += 1
    notes = [f"{bad:,} interval event(s) lack fields and are left out."] if bad else []
    # The same interval said twice must not count twice.
    table = pd.DataFrame(rows, columns=["trial", "host", "k", "phase", *COUNTS, "response"])
    table = table.drop_duplicates(["trial", "host", "k", "phase"], ignore_index=True)
    read = [_histogram(text, answered) for text, answered in zip(table["response"], table["answered"], strict=True)]
    table["response"] = pd.Series(read, index=table.index, dtype=object)
    return table, notes


def _histogram(text: object, answered: int) -> histograms.Sparse | None:
    try:
        found = histograms.sparse(text)
    except histograms.BadHistogram:
        return None
    return found if found.total == answered else None


def sample_table(log: Log) -> pd.DataFrame:
    """One row per sample of the server, in the order of its clock; t_ns is the server's."""
    rows = [
        {"trial": event["trial"]} | {name: event[field] for field, name in SAMPLE_FIELDS.items()}
        for event in log.of("sample")
        if event["host"] == log.server
        and is_count(event["trial"])
        and all(is_count(event.get(f)) for f in SAMPLE_FIELDS)
    ]
    table = pd.DataFrame(rows, columns=["trial", *SAMPLE_FIELDS.values()])
    return table.sort_values(["trial", "t_ns"], kind="stable", ignore_index=True)


def last_of(log: Log, name: str, state: str | None = None) -> dict[int, Event]:
    """The last event of a name (and state) in each trial."""
    return {int(e["trial"]): e for e in log.of(name) if e["trial"] is not None and state in (None, e.get("state"))}
