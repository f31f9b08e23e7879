"""The summary of one run as lines of text: the report's sentence and table, and the remarks under it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Hashable
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers import glance, remarks
from analysis.answers.headline import headline
from analysis.answers.shown import against, share, shown
from analysis.answers.trust import located, trust
from analysis.cells import varying
from analysis.ingest.plan import traits
from analysis.metrics import METRICS
from analysis.model import Dataset

MOST_FINDINGS = 12
# Of a metric: heading, and how early the column gives way where the table is too wide. Requests for each second of CPU
# go first: the CPU time of a request is the same figure turned over.
COLUMNS = {
    "throughput": ("requests/s", 0), "p50": ("response\np50", 2), "p99": ("response\np99", 0),
    "p99_9": ("response\np99.9", 1), "efficiency": ("requests\n/CPU s", 5), "cpu": ("CPU µs\n/request", 0),
    "memory": ("RSS bytes\n/conn.", 3),
}  # fmt: skip
FACTS = {
    "active": "{:,} active", "rate": "{:,} requests/s offered", "requests": "{:,} requests",
    "payload_bytes": "{:,} bytes", "pipeline": "pipeline {:,}", "think_time": "{:g} s think time",
    "steps": "{:,} steps", "server_ports": "{:,} ports", "warmup": "{:,} s warm-up", "duration": "{:,} s window",
    "hostile": "hostile clients {}", "generator": "generator {}", "server_command": "server: {}",
}  # fmt: skip
USUAL = {"pipeline": 1, "server_ports": 1, "think_time": 0, "generator": "go"}


def page(dataset: Dataset, given: str) -> list[str]:
    """The lines of one run's summary, fit for a terminal."""
    frame = glance.data(dataset)
    said = headline(dataset)
    lines = [f"run {dataset.runs['run'].iloc[0]}", *_wrapped(" · ".join(facts(dataset))), ""]
    lines += [*_wrapped(f"{said.sentence} {said.more}".strip()), *_wrapped(trust(dataset)), ""]
    body, legend = grid(frame)
    notes = [*remarks.of_control(dataset), *remarks.of_errors(dataset), *remarks.of_ramps(dataset)]
    notes += [*remarks.of_capacity(dataset), *remarks.of_calibration(dataset), *of_findings(dataset, given)]
    notes += [*dataset.notes, *remarks.of_end(dataset), *remarks.of_complaints(dataset)]
    notes = [*of_rows(frame, notes), *notes]
    lines += [*body, "", *(line for note in notes for line in _wrapped(f"- {note}", "  "))]
    lines += _wrapped(" · ".join(legend))
    return [show.visible(line) for line in [*lines, *_wrapped(remarks.of_next(dataset, given))]]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(show.visible(text), show.WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def facts(dataset: Dataset) -> list[str]:
    """The factors that are the same in all cells, and how much of the run there is."""
    cells = dataset.cells
    first, apart = cells.iloc[0], varying(cells)
    workload = traits(first["workload"])
    unsaid = {name for name, value in USUAL.items() if first[name] == value} | set(apart)
    unsaid |= {"active"} if first["active"] == first["connections"] else set()
    unsaid |= {"rate"} if not workload.paced else set()
    unsaid |= {"steps"} if first["workload"] != "ramp" else set()
    unsaid |= {"warmup", "duration"} if pd.notna(first["requests"]) else set()
    parts = [] if "workload" in apart else [f"{first['workload']} load"]
    if "connections" not in apart:
        parts.append(f"{first['connections']:,} {'connections' if workload.holds else 'in flight'}")
    parts += [text.format(first[name]) for name, text in FACTS.items() if name not in unsaid and pd.notna(first[name])]
    for count, noun in ((int((dataset.hosts["role"] == "client").sum()), "client"), (len(dataset.trials), "trial")):
        parts.append(f"{count:,} {noun}{'s' if count != 1 else ''}")
    return parts


def grid(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The table, each figure over its interval; and the legend it needs."""
    rows = frame.to_dict("records")
    texts: list[dict[str, str]] = []
    for row in rows:
        top, below = lines_of(row)
        texts += [top, below] if any(below.values()) else [top]
    columns = [
        show.Column(heading, [show.visible(text.get(name, "")) for text in texts], name in ("label", "outcome"), drop)
        for name, (heading, drop) in headings(rows).items()
    ]
    kept, dropped = show.fit(columns)
    left_out = ", ".join(column.heading.replace("\n", " ").removeprefix("= ") for column in dropped)
    told = [text for row in texts for text in row.values()]
    has_intervals = any(shown(row, name).low for row in rows for name in COLUMNS)
    legend = {
        "~: fewer than 100 requests lie beyond this percentile": any(text.startswith("~") for text in told),
        f"{show.NOTHING}: not measured, or too little to say": show.NOTHING in told,
        "each figure: the centre of the repetitions, over its 95 % interval": has_intervals,
        "RSS: growth of the server's memory": any("RSS" in column.heading for column in kept),
        f"for want of width only in the report: {left_out}": bool(dropped),
    }
    return show.table(kept), [text for text, is_needed in legend.items() if is_needed]


def headings(rows: list[dict[Hashable, Any]]) -> dict[str, tuple[str, int]]:
    """The columns in their order: heading, and how early the column gives way where the table is too wide."""
    asked = {row["asked_connections"] for row in rows}
    is_held = any(pd.notna(row["held_connections"]) for row in rows)
    held = "held" if len(asked) > 1 else f"held\nof {asked.pop():,}"
    metrics = {name: heading for name, heading in COLUMNS.items() if is_held or name != "memory"}
    verdict = (
        {"against": ("against\nbaseline", 0)} if any(row["verdict"] not in ("", "baseline") for row in rows) else {}
    )
    return {
        "label": ("strategy", 0), "held": (held if is_held else "in flight", 0), "errors": ("errors", 0), **metrics,
        "split": ("= user\n+ system", 4), **verdict, "outcome": ("outcome", 0),
    }  # fmt: skip


def lines_of(row: dict[Hashable, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of one cell by column: its figures, and under them their intervals."""
    outcome, *more = str(row["outcomes"]).split(", ")
    held = row["held_connections"]
    ratio, _, verdict = against(row).partition(" × ")
    modes = [shown(row, f"cpu_{mode}").text for mode in ("user", "system")]
    top = {
        "label": str(row["label"]), "errors": share(float(row["errors_share"])),
        "against": f"{ratio} ×" if verdict else ratio,
        "held": show.count(float(held)) if pd.notna(held) else f"{row['asked_connections']:,}",
        "split": show.NOTHING if show.NOTHING in modes else " + ".join(modes),
        "outcome": f"{outcome}," if more else outcome,
    }  # fmt: skip
    below = {"outcome": ", ".join(more), "against": verdict}
    if row["struck"]:
        top["outcome"], below["outcome"] = "struck", str(row["outcomes"])
    for name in COLUMNS:
        figure = shown(row, name)
        top[name] = ("~" if figure.is_marked else "") + figure.text
        below[name] = _interval(row, name) if figure.low else ""
    return top, below


def _interval(row: dict[Hashable, Any], name: str) -> str:
    """Both ends in the unit of the figure above them; under a `> timeout` in one of their own."""
    value, low, high = (float(row[f"{name}_{part}"]) for part in ("value", "low", "high"))
    if METRICS[name].unit != "ns":
        return show.span(low, high)
    size, unit = show.unit_of(value if math.isfinite(value) else low)
    return show.span(low, high, size) + (f" {unit}" if math.isinf(value) and math.isfinite(low) else "")


def of_rows(frame: pd.DataFrame, notes: list[str]) -> list[str]:
    """Why a row is struck, stopped, or rests on fewer repetitions, where no other note says so of it."""
    told = [show.visible(note) for note in notes]
    whys = [(str(row["label"]), str(row["why"])) for row in frame.to_dict("records") if row["why"]]
    return [f"{label}: {why}" for label, why in whys if not any(label in note and why in note for note in told)]


def of_findings(dataset: Dataset, given: str) -> list[str]:
    """The findings that matter, the worst first; how many more there are."""
    found = located(dataset, most=4)
    grave = [(one, f" ({where})" if where else "") for one, where in found if one.severity != "info"][:MOST_FINDINGS]
    lines = [f"{one.severity} {one.check}: {one.message}{where} {one.remedy}".strip() for one, where in grave]
    more = len(found) - len(lines)
    lines += [f"{more} more finding{'s' if more > 1 else ''}: python -m analysis check {given}"] if more else []
    return lines
