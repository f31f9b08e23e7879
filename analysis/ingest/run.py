"""A run's directory as a dataset of raw tables: nothing here estimates or judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.foreign import content
from analysis.ingest.events import Log, is_calibration, locate, parsed, read
from analysis.ingest.fields import Row, as_json, count, mapping, number, taken, text, truth
from analysis.ingest.files import file_rows
from analysis.ingest.generators import error_rows, generator_rows
from analysis.ingest.kept import kept
from analysis.ingest.latency import interval_table, latency
from analysis.ingest.samples import clock_rows, own_rows, sample_tables, worker_rows
from analysis.ingest.trials import trial_rows
from analysis.model import Dataset, frame
from contracts.declared import PARAMETERS
from contracts.judge import percentile_and_limit

DEFAULT_SLO = str(PARAMETERS["slo"].default)
MAPPINGS = ("parameters", "inventory", "versions", "tuning", "overhead", "resumed")  # of the manifest, kept as JSON


def ingest(given: str) -> Dataset:
    """All raw tables of one run, a directory or its events.jsonl. Raises Unreadable where there is nothing
    to read."""
    path = locate(given)
    manifest, notes = read_manifest(path.parent)
    read_once = kept(path, as_json([given, manifest, notes]) or "", lambda: _tables(given, manifest, notes))
    files = file_rows(str(read_once.runs["run"].iloc[0]), path.parent, manifest)
    return replace(read_once, files=frame("files", files))


def _tables(given: str, manifest: Row, notes: list[str]) -> Dataset:
    """All but `files`."""
    log = read(given)
    slo = text(mapping(manifest.get("parameters")).get("slo"))
    if slo is not None and not is_objective(slo):
        notes = [*notes, f"manifest.json names the objective {slo}, which is none: {DEFAULT_SLO} stands in its place."]
        slo = None
    if not log.trailer:
        notes = [*notes, "events.jsonl has no trailer: the run did not come to its end, or the file was cut."]
    intervals, cut = interval_table(log)
    found = latency(log, intervals)
    sampled = sample_tables(log)
    errors, left = error_rows(log)
    trials, more = trial_rows(log, intervals, found, frame("server_samples", sampled["server_samples"]))
    of_run = text(mapping(manifest.get("parameters")).get("profile"))  # where it was no factor yet
    trials = [row | {"profile": row.get("profile") or of_run} for row in trials]
    tables: dict[str, Any] = {
        "runs": [_run(log, manifest, given) | {"slo": slo or DEFAULT_SLO}],
        "trials": trials,
        "hosts": _hosts(log, manifest),
        "intervals": found.intervals,
        "seconds": found.seconds,
        "histograms": found.histograms(log.run),
        "heat": found.heat,
        **sampled,
        "own_samples": own_rows(log),
        "workers": worker_rows(log),
        "generators": generator_rows(log, found),
        "clocks": clock_rows(log),
        "proofs": _proofs(log),
        "errors": errors,
    }
    return Dataset.of([f"{given}: {note}" for note in (*log.notes, *notes, *cut, *more, *left)], **tables)


def is_objective(slo: str) -> bool:
    """Whether the text is a percentile and a time, such as p99=10ms."""
    try:
        percentile_and_limit(slo)
    except ValueError:
        return False
    return True


def read_manifest(directory: Path) -> tuple[Row, list[str]]:
    """The manifest, an empty one where there is none, and what is wrong with it."""
    try:
        document = parsed(content(directory / "manifest.json"))
    except FileNotFoundError:
        return {}, ["manifest.json is missing: hosts, versions and kernel values are unknown."]
    except OSError as error:
        why = f"manifest.json cannot be read: {error.strerror}; hosts, versions and kernel values are unknown."
        return {}, [why]
    except (ValueError, RecursionError):
        return {}, ["manifest.json cannot be read: hosts, versions and kernel values are unknown."]
    if mapping(document).get("schema") != 1:
        return {}, ["manifest.json is of another schema: hosts, versions and kernel values are unknown."]
    return mapping(document), []


def _run(log: Log, manifest: Row, given: str) -> Row:
    exits = [count(event.get("exit")) for event in log.of("run") if event.get("state") == "ended"]
    git = mapping(manifest.get("git"))
    return taken("runs", manifest) | {
        "run": log.run,
        "path": given,
        "exit": exits[-1] if exits else None,
        "claim": as_json(claim) if (claim := mapping(log.plan.get("claim"))) else None,
        "claim_seal": text(mapping(manifest.get("claim")).get("seal")),
        "margin": number(mapping(manifest.get("parameters")).get("margin")),
        "repetitions": max(trial["block"] for trial in log.planned),
        "trials_planned": len(log.planned),
        "is_whole": log.trailer,
        "is_calibrated": any(map(is_calibration, log.plan["trials"])),
        "git_commit": text(git.get("commit")),
        "git_dirty": truth(git.get("dirty")),
        **{name: as_json(mapping(manifest.get(name))) for name in MAPPINGS},
    }


def _hosts(log: Log, manifest: Row) -> list[Row]:
    facts = mapping(manifest.get("hosts"))
    return [
        taken("hosts", host)
        | {
            "run": log.run,
            "host": name,
            "cpus": as_json(host["cpus"]) if isinstance(host.get("cpus"), list) else None,
            "facts": as_json(mapping(facts.get(name))),
        }
        for name, host in log.plan["hosts"].items()
    ]


def _proofs(log: Log) -> list[Row]:
    """The counts of connections at the barrier and at the end, and those of each step of a ramp."""
    asked = {trial["n"]: trial["load"].get("connections") for trial in log.planned}
    told = [(e, text(e.get("when")), asked.get(e["trial"])) for e in log.of("proof")]
    told += [(e, f"step {count(e.get('n'))}", e.get("connections")) for e in log.of("step")]
    return [
        taken("proofs", event) | {"run": log.run, "moment": moment, "asked": count(wanted)}
        for event, moment, wanted in told
    ]
