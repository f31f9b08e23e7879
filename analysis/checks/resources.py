"""Checks of what the generators had to work with: CPU, ports, descriptors, and the ceiling that follows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from analysis import format as show
from analysis.ceilings import ceilings, sent_per_s
from analysis.checks import beside
from analysis.checks.base import Observation, seen, threshold
from analysis.checks.lateness import busy_cpus
from analysis.checks.shared import KEY, client_rows, host_of, number, percent, trials, where
from analysis.model import Dataset


def busy(dataset: Dataset) -> Iterable[Observation]:
    for row in busy_cpus(dataset).to_dict("records"):
        if row["share"] >= threshold("busy"):
            text = f"{', '.join(row['hosts'])} used {percent(row['share'])} of their CPUs"
            yield seen(row, text, row["share"], hosts=row["hosts"], cpu=row["share"])


def gn2_held_up(dataset: Dataset) -> Iterable[Observation]:
    yield from busy(dataset)
    for row in client_rows(dataset):
        wall = row["wall_ns"] or np.nan
        shares = {
            "was taken by the hypervisor": row["steal_ns"] / wall / host_of(dataset, row).cpus,
            "was withheld by its cgroup": row["throttled_ns"] / wall,
            "was collection of garbage": row["gc_pause_ns"] / wall,
        }
        stolen = {what: share for what, share in shares.items() if share > threshold("stolen")}
        parts = [f"{percent(share)} of its time {what}" for what, share in stolen.items()]
        if row["max_loop_gap_ns"] > threshold("loop_gap"):
            parts.append(f"its loop was away for {show.time(row['max_loop_gap_ns'])}")
        if parts:
            names = ("steal_ns", "throttled_ns", "gc_pause_ns", "max_loop_gap_ns", "wall_ns")
            worst = max(stolen.values(), default=0.0)
            text = f"{row['host']}: {', '.join(parts)}"
            yield seen(row, text, worst, **{name: row[name] for name in names})


def gn5_ports(dataset: Dataset) -> Iterable[Observation]:
    yield from _refused(dataset, "ports", "found no free port")
    for row in client_rows(dataset):
        host = host_of(dataset, row)
        pairs = host.sources * number(row["server_ports"], 1.0)
        used = number(row["connections_share"], np.nan) / pairs / host.ports
        if used >= threshold("ports"):
            text = f"{row['host']} used {percent(used)} of its ephemeral ports towards each address of the server"
            text += ": the kernel searches longer and longer for a free one"
            yield seen(row, text, used, severity="warn", share=used)


def gn6_descriptors(dataset: Dataset) -> Iterable[Observation]:
    yield from _refused(dataset, "descriptors", "was out of descriptors")
    for row in client_rows(dataset):
        hard = host_of(dataset, row).descriptors
        each = number(row["connections_share"], np.nan) / number(row["processes"], 1.0)
        if each > threshold("descriptors") * hard:
            text = f"{row['host']} held {show.count(each)} connections a process, of {show.count(hard)} descriptors"
            yield seen(row, text, each / hard, severity="warn", connections=each, hard=hard)


def _refused(dataset: Dataset, cause: str, what: str) -> Iterable[Observation]:
    """Errors of this cause at clients, as their agents counted them."""
    found = where(dataset.errors, dataset.errors["cause"] == cause)
    for row in found.assign(count=found["count"].fillna(1)).dropna(subset=KEY).to_dict("records"):
        if host_of(dataset, row).role != "server":
            text = f"{row['host']} {what} {row['count']:,} times"
            yield seen(row, text, row["count"], count=row["count"])


def gn8_uncalibrated(dataset: Dataset) -> Iterable[Observation]:
    table = ceilings(dataset)
    for run in sorted(set(trials(dataset)["run"]) - set(table["run"])):
        yield seen({"run": run}, "The generators' ceiling was not measured in this run")
    for row in table[table["is_refuted"]].to_dict("records"):
        sent, found = show.number(row["most_per_s"]), show.number(row["ceiling_per_s"])
        text = f"{row['host']} sent {sent} requests/s in trial {row['trial']} and only {found}/s when it was calibrated"
        yield seen(
            {"run": row["run"]}, text, row["most_per_s"], sent_per_s=row["most_per_s"], calibrated=row["ceiling_per_s"]
        )


def gn9_near_ceiling(dataset: Dataset) -> Iterable[Observation]:
    table = ceilings(dataset)
    known = table[~table["is_refuted"]].set_index(["run", "host"])["ceiling_per_s"].to_dict()
    for row in client_rows(dataset):
        other = beside.sender(dataset, row)
        own = sent_per_s(row) + (number(sent_per_s(other), 0.0) if other else 0.0)
        ceiling = known.get((row["run"], row["host"]), np.nan)
        if own / ceiling > threshold("ceiling"):
            sent = f"{row['host']} sent {show.number(own)} requests/s"
            text = f"{sent}, {percent(own / ceiling)} of the {show.number(ceiling)}/s that it can send"
            yield seen(row, text, own / ceiling, sent_per_s=own, ceiling_per_s=ceiling)
