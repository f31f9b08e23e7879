"""The summary of one run as lines of text: the report's table, the remarks under it, and last the answer."""

from __future__ import annotations

import math
import shlex
import shutil
import sys
import textwrap
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers import glance, limit, remarks
from analysis.answers.claims import claims, words
from analysis.answers.doubt import warnings
from analysis.answers.headline import headline
from analysis.answers.shown import INTERVAL, against, share, shown
from analysis.answers.trust import located, trust, weighed
from analysis.cells import varying
from analysis.checks.shared import server_of
from analysis.estimates import BY_TIME
from analysis.findings import some
from analysis.ingest.plan import traits
from analysis.metrics import METRICS
from analysis.model import Dataset

MOST_FINDINGS = 12
WIDTH = 80
"""Of the text, and of the table too where its reader is no terminal."""
LONGEST_OUTCOME = 10
LONGEST_LABEL, LEAST_LABEL = 24, 12  # a longer one goes on under itself
# Of a metric: heading, and how early the column gives way where the table is too wide. CPU time goes first: it is the
# requests for each second of CPU turned over.
COLUMNS = {
    "throughput": ("requests\n/s", 2), "p50": ("response\np50", 3), "p99": ("response\np99", 0),
    "p99_9": ("response\np99.9", 4), "efficiency": ("requests\n/CPU s", 1), "cpu": ("CPU µs\n/request", 7),
    "memory": ("RSS bytes\n/conn.", 5),
}  # fmt: skip
ASKED = {"connect_p99": ("connect\np99", 0), "lag": ("sent late\np99", 0)}  # where a run asks for it
LEFT = ("label", "outcome", "kept")
FACTS = {
    "active": "{:,} active", "rate": "{:,} requests/s offered", "requests": "{:,} requests",
    "payload_bytes": "{:,} bytes", "pipeline": "pipeline {:,}", "think_time": "{:g} s think time",
    "steps": "{:,} steps", "server_ports": "{:,} ports", "warmup": "{:,} s warm-up", "duration": "{:,} s window",
    "hostile": "hostile clients {}", "generator": "generator {}", "server_command": "server: {}",
}  # fmt: skip
USUAL = {"pipeline": 1, "server_ports": 1, "think_time": 0, "generator": "go"}


def columns() -> int:
    """Of the terminal that reads this; of a file or a pipe the usual ones."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH


def page(dataset: Dataset, given: str, width: int = WIDTH) -> list[str]:
    """The lines of one run's summary, fit for a terminal: the table, as wide as that is, and what belongs to it, and
    last the answer, the objective, the doubt and where the report is."""
    frame = glance.data(dataset)
    lines = [f"run {dataset.runs['run'].iloc[0]}", *_wrapped(" · ".join(facts(dataset))), ""]
    body, legend = grid(frame, width)
    notes = [*remarks.of_control(dataset), *remarks.of_errors(dataset), *remarks.of_ramps(dataset)]
    notes += [*remarks.of_capacity(dataset), *remarks.of_calibration(dataset), *of_findings(dataset, given)]
    notes += [*dataset.notes, *remarks.of_end(dataset), *remarks.of_complaints(dataset)]
    notes = [*of_rows(frame, notes), *notes]
    lines += [*body, "", *(line for note in notes for line in _wrapped(f"- {note}", "  "))]
    lines += [*_wrapped(" · ".join(legend)), *_wrapped(remarks.of_next(dataset, given)), ""]
    if kept := limit.keep(dataset):
        heading = "To keep what these hosts had (docs/tuning.md says which matters when):"
        lines += [heading, *(f"    {line}" for line in kept), ""]
    return [show.visible(line) for line in [*lines, *ending(dataset, frame, given)]]


def ending(dataset: Dataset, frame: pd.DataFrame, given: str) -> list[str]:
    """The answer in a sentence, the objective, how much doubt there is and the worst of it, and the report."""
    said = headline(dataset)
    claimed = [f"{one.name}, {words(one)}" for one in claims(dataset)]
    lines = [*claimed, said.sentence, said.more, of_objective(frame), trust(dataset)]
    worst = "".join(f"; the worst: {one}" for one in warnings(dataset, 1, f"{said.sentence} {said.more}"))
    lines.append(f"findings: {weighed(dataset)}{worst}")
    path = Path(given)
    report = (path if path.is_dir() else path.parent) / "report.html"
    told = [line for text in lines if text for line in _wrapped(text)]
    return [*told, report_line(report)] if report.is_file() else told


def report_line(report: Path) -> str:
    """Where the report is, as a shell takes it."""
    return show.visible(f"report: {shlex.quote(str(report))}")


def of_objective(frame: pd.DataFrame) -> str:
    """Who kept the objective of the run."""
    known = frame[frame["kept"].ne("") & ~frame["struck"].astype(bool)]
    if known.empty:
        is_duet = len(frame) and frame["duet"].all()
        return "The objective is not judged: a duet does not tell how long a request takes." if is_duet else ""
    told_of = known[known["kept_doubt"].eq("")]
    if told_of.empty:
        return f"{known['slo'].iloc[0]}: whether it was met cannot be told ({glance.of_doubt(known)})."
    rest = told_of[told_of["kept"] != "met"]
    names = [
        label if word == "missed" else f"{label} ({word})"
        for label, word in zip(rest["label"], rest["kept"], strict=True)
    ]
    told = f"; missed by {some(names, '; ', 3)}" if names else ""
    met = len(told_of) - len(rest)
    return f"{known['slo'].iloc[0]}: met by {met} of {len(known)} rows{glance.in_doubt(known)}{told}."


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(show.visible(text), WIDTH, subsequent_indent=indent, break_on_hyphens=False)


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
        what = "connections" if workload.holds else "in flight at most" if workload.paced else "in flight"
        parts.append(f"{first['connections']:,} {what}")
    parts += [text.format(first[name]) for name, text in FACTS.items() if name not in unsaid and pd.notna(first[name])]
    if server := server_of(dataset).get(first["run"]):
        own = len(server.pinned)
        parts += [f"server pinned to {own} CPU{'s' if own > 1 else ''}"] if own else []
    for count, noun in ((int((dataset.hosts["role"] == "client").sum()), "client"), (len(dataset.trials), "trial")):
        parts.append(f"{count:,} {noun}{'s' if count != 1 else ''}")
    parts[-1] += " side by side" if cells["duet"].all() else ""
    return parts


def grid(frame: pd.DataFrame, width: int = WIDTH) -> tuple[list[str], list[str]]:
    """The table, each figure over its interval, with the columns that have room; and the legend it needs."""
    rows = frame.to_dict("records")
    kept, dropped = show.fit(columns_of(frame, rows, LONGEST_LABEL), width)
    if (over := show.width_of(kept) - width) > 0:
        kept, dropped = show.fit(columns_of(frame, rows, max(LEAST_LABEL, kept[0].width - over)), width)
    left_out = ", ".join(column.heading.replace("\n", " ").removeprefix("= ") for column in dropped)
    told = [text for column in kept for text in column.texts]
    has_intervals = any(shown(row, name).low for row in rows for name in COLUMNS)
    ratio = next((glance.ratio_title(frame) for row in rows if against(row)[0]), "")
    legend = {
        f"ratio: {ratio}": bool(ratio),
        "!: a finding forbids a claim on this figure": any("!" in text for text in told),
        "?: a finding forbids to say whether it was met": any(text == "?" for text in told),
        "suspect: a finding speaks against a trial, which still counts but for what is marked": any(
            "suspect" in text for text in told
        ),
        "~: fewer than 100 requests lie beyond this percentile": any(text.startswith("~") for text in told),
        f"{show.NOTHING}: not measured, or too little to say": show.NOTHING in told,
        f"each figure: the centre of the repetitions, over its {INTERVAL}, of two over their range": has_intervals,
        f"requests/s and CPU: {BY_TIME}, for this run does not say when replies arrived": any(
            row["throughput_quality"] == BY_TIME for row in rows
        ),
        "RSS: growth of the server's memory": any("RSS" in column.heading for column in kept),
        f"for want of width only in the report: {left_out}": bool(dropped),
    }
    return show.table(kept, width), [text for text, is_needed in legend.items() if is_needed]


def columns_of(frame: pd.DataFrame, rows: list[dict[Hashable, Any]], label: int) -> list[show.Column]:
    """All columns that there are, with labels of so many characters a line."""
    texts: list[dict[str, str]] = []
    for row in rows:
        top, *below = lines_of(row, label)
        texts += [top, *(line for line in below if any(line.values()))]
    return [
        show.Column(heading, [show.visible(text.get(name, "")) for text in texts], name in LEFT, drop)
        for name, (heading, drop) in headings(frame, rows).items()
    ]


def headings(frame: pd.DataFrame, rows: list[dict[Hashable, Any]]) -> dict[str, tuple[str, int]]:
    """The columns in their order: heading, and how early the column gives way where the table is too wide."""
    asked = {row["asked_connections"] for row in rows}
    is_held = any(pd.notna(row["held_connections"]) or traits(row["workload"]).holds for row in rows)
    # Where all hold what was asked the column says nothing that the table does not say above it.
    all_held = all(row["held_connections"] == row["asked_connections"] for row in rows)
    held = "held" if len(asked) > 1 else f"held\nof {asked.pop():,}"
    metrics = {name: heading for name, heading in COLUMNS.items() if is_held or name != "memory"}
    metrics |= {name: ASKED[name] for name in set(frame["ratio_metric"]) & set(ASKED)}
    has_ratio = any(against(row)[0] for row in rows)
    has_errors = any(row["errors_share"] > 0 for row in rows)
    goals = ", ".join(dict.fromkeys(row["slo"] for row in rows if row["slo"]))
    return {
        "label": ("strategy", 0), **({"against": ("ratio", 0)} if has_ratio else {}),
        **({"kept": (goals.replace(" ≤", "\n≤", 1), 0)} if goals else {}),
        "held": (held if is_held else "in flight", 3 if all_held else 0),
        "errors": ("errors", 0 if has_errors else 4), **metrics, "split": ("= user\n+ system", 8),
        "outcome": ("outcome", 0),
    }  # fmt: skip


def lines_of(row: dict[Hashable, Any], longest: int) -> list[dict[str, str]]:
    """The texts of one cell by column: its figures, under them their intervals, and what is left of long names."""
    texts = [str(row["outcomes"]).replace(", ", ",\n"), *(["struck"] if row["struck"] else [])][::-1]
    outcome = [line for text in texts for part in text.split("\n") for line in textwrap.wrap(part, LONGEST_OUTCOME)]
    ratio, interval, verdict = against(row)
    modes = [shown(row, f"cpu_{mode}").text for mode in ("user", "system")]
    compared = f"{ratio.removesuffix(' ×')} {interval}{_mark(row, 'ratio')}" if ratio else verdict
    label = textwrap.wrap(show.visible(str(row["label"])), longest, break_on_hyphens=False)
    top = {
        "errors": share(float(row["errors_share"])),
        "against": compared,
        "kept": "?" if row["kept_doubt"] else row["kept"] or show.NOTHING,
        "held": _held(row),
        "split": show.NOTHING if show.NOTHING in modes else " + ".join(modes),
    }  # fmt: skip
    below = {"against": verdict if ratio else ""}
    for name in (*COLUMNS, *ASKED):
        figure = shown(row, name)
        top[name] = ("~" if figure.is_marked else "") + figure.text + ("!" if figure.doubt else "")
        below[name] = _interval(row, name) if figure.low else ""
    lines: list[dict[str, str]] = [top, below, *({} for _ in range(max(len(outcome), len(label)) - 2))]
    for line, name, ended in zip(lines, [*label, *[""] * len(lines)], [*outcome, *[""] * len(lines)], strict=False):
        line |= {"label": name, "outcome": ended}
    return lines


def _held(row: dict[Hashable, Any]) -> str:
    """How many were proved to be held; where connections are not held, how many requests are in flight."""
    if pd.notna(row["held_connections"]):
        return show.count(float(row["held_connections"]))
    return show.NOTHING if traits(row["workload"]).holds else f"{row['asked_connections']:,}"


def _mark(row: dict[Hashable, Any], name: str) -> str:
    return "!" if row[f"{name}_doubt"] else ""


def _interval(row: dict[Hashable, Any], name: str) -> str:
    """Both ends in the unit of the figure above them; under a `> timeout` in one of their own."""
    value, low, high = (float(row[f"{name}_{part}"]) for part in ("value", "low", "high"))
    if METRICS[name].unit != "ns":
        return show.span(low, high)
    if math.isinf(high):
        return f"{show.time(low)} to {show.BEYOND}" if math.isfinite(low) else ""
    return show.span(low, high, show.unit_of(value)[0])


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
