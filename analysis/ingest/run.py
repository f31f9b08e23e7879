"""A run's directory as a dataset of raw tables: nothing here estimates or judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from analysis.capacity import DEFAULT
from analysis.commands.summary import UNITS
from analysis.events import Log, is_calibration, parsed, read
from analysis.ingest.clocks import clock_rows
from analysis.ingest.fields import as_json, count, figure, mapping, number, text, truth, whole
from analysis.ingest.files import file_rows
from analysis.ingest.generators import error_rows, generator_rows
from analysis.ingest.latency import Latency, done_of, latency, own_quantile
from analysis.ingest.samples import sample_tables, worker_rows
from analysis.model import TABLES, Dataset, frame
from analysis.tables import interval_table, last_of
from analysis.trials import of_intervals

PROOF = ("kernel", "server", "clients")


def ingest(given: str) -> Dataset:
    """All raw tables of one run, a directory or its events.jsonl. Raises events.Unreadable where there is nothing
    to read."""
    log = read(given)
    directory = log.path.parent
    manifest, notes = read_manifest(directory)
    if not log.trailer:
        notes.append("events.jsonl has no trailer: the run did not come to its end, or the file was cut.")
    intervals, cut = interval_table(log)
    old, more = of_intervals(log, intervals)
    found = latency(log, intervals)
    tables: dict[str, Any] = {
        "runs": [_run(log, manifest, given)],
        "trials": _trials(log, old, found),
        "hosts": _hosts(log, manifest),
        "intervals": found.intervals,
        "seconds": found.seconds,
        "histograms": found.histograms(log.run),
        "heat": found.heat,
        **sample_tables(log),
        "workers": worker_rows(log),
        "generators": generator_rows(log, found),
        "clocks": clock_rows(log),
        "proofs": _proofs(log),
        "errors": error_rows(log),
        "files": file_rows(log.run, directory, manifest),
    }
    return Dataset.of([f"{given}: {note}" for note in (*log.notes, *notes, *cut, *more)], **tables)


def read_manifest(directory: Path) -> tuple[dict[str, Any], list[str]]:
    """The manifest, an empty one where there is none, and what is wrong with it."""
    try:
        document = parsed((directory / "manifest.json").read_bytes())
    except FileNotFoundError:
        return {}, ["manifest.json is missing: hosts, versions and kernel values are unknown."]
    except (OSError, ValueError, RecursionError):
        return {}, ["manifest.json cannot be read: hosts, versions and kernel values are unknown."]
    if mapping(document).get("schema") != 1:
        return {}, ["manifest.json is of another schema: hosts, versions and kernel values are unknown."]
    return mapping(document), []


def _run(log: Log, manifest: dict[str, Any], given: str) -> dict[str, Any]:
    planned = [trial for trial in log.plan["trials"] if not is_calibration(trial)]
    exits = [count(event.get("exit")) for event in log.of("run") if event.get("state") == "ended"]
    parameters, git = mapping(manifest.get("parameters")), mapping(manifest.get("git"))
    return {
        "run": log.run,
        "path": given,
        "status": text(manifest.get("status")),
        "exit": exits[-1] if exits else None,
        "started_utc": text(manifest.get("started_utc")),
        "ended_utc": text(manifest.get("ended_utc")),
        "seed": count(manifest.get("seed")),
        "slo": text(parameters.get("slo")) or DEFAULT,
        "repetitions": max(trial["block"] for trial in planned),
        "trials_planned": len(planned),
        "is_whole": log.trailer,
        "is_calibrated": any(map(is_calibration, log.plan["trials"])),
        "git_commit": text(git.get("commit")),
        "git_dirty": truth(git.get("dirty")),
        "parameters": as_json(parameters),
        "versions": as_json(mapping(manifest.get("versions"))),
        "tuning": as_json(mapping(manifest.get("tuning"))),
        "overhead": as_json(mapping(manifest.get("overhead"))),
    }


def _hosts(log: Log, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    facts = mapping(manifest.get("hosts"))
    return [
        {
            "run": log.run,
            "host": name,
            "role": text(host.get("role")),
            "load_address": text(host.get("load_address")),
            "cpus": as_json(host["cpus"]) if isinstance(host.get("cpus"), list) else None,
            "facts": as_json(mapping(facts.get(name))),
        }
        for name, host in log.plan["hosts"].items()
    ]


def _trials(log: Log, old: pd.DataFrame, found: Latency) -> pd.DataFrame:
    """The table of the summary, in the words of the dataset, and what it does not show."""
    table = old.rename(columns=UNITS)
    for name, (kind, _) in TABLES["trials"].columns.items():
        if name in table:
            read = {"int": whole, "float": figure, "text": text, "bool": truth}[kind]
            table[name] = pd.Series([read(value) for value in table[name]], dtype=object)
    started = dict.fromkeys(e["trial"] for e in log.of("trial") if e.get("state") == "started")
    order = {n: place for place, n in enumerate(started, start=1)}
    results = {n: mapping(e.get("result")) for n, e in last_of(log, "trial", "ended").items()}
    numbers = [int(n) for n in table["trial"]]
    cost = table["cpu_us_per_request"].astype(float)
    table["position"] = [order.get(n) for n in numbers]
    table["requests_per_cpu_s"] = 1e6 / cost
    table["server_cpu_share"] = cost / 1e6 * table["requests_per_s"].astype(float)
    for kind in ("service", "lag", "connect"):
        merged = found.merged(kind)
        table[f"{kind}_p99_ns"] = [own_quantile(merged.get(n), "p99") for n in numbers]
    for name in ("start_skew_ms", "overhead_s"):
        table[name] = [number(results.get(n, {}).get(name)) for n in numbers]
    table["go_ns"] = [count(results.get(n, {}).get("go_ns")) for n in numbers]
    late: dict[int, int] = {}
    for (n, _), event in done_of(log).items():
        late[n] = late.get(n, 0) + (count(mapping(event.get("integrity")).get("late")) or 0)
    table["late_replies"] = [late.get(n) for n in numbers]
    return frame("trials", table[[name for name in table.columns if name in TABLES["trials"].columns]])


def _proofs(log: Log) -> list[dict[str, Any]]:
    asked = {trial["n"]: trial["load"].get("connections") for trial in log.plan["trials"]}
    rows = [
        {"run": log.run, "trial": e["trial"], "moment": text(e.get("when")), "asked": count(asked.get(e["trial"]))}
        | {name: count(e.get(name)) for name in PROOF}
        for e in log.of("proof")
    ]
    return rows + [
        {
            "run": log.run,
            "trial": e["trial"],
            "moment": f"step {count(e.get('n'))}",
            "asked": count(e.get("connections")),
            "arm_s": number(e.get("arm_s")),
        }
        | {name: count(e.get(name)) for name in PROOF}
        for e in log.of("step")
    ]
