"""The summary of one run as lines of text: a headline, the table, the remarks under it."""

import json
import math
import textwrap
from typing import Any

import pandas as pd

from analysis import capacity, histograms, notes
from analysis import format as show
from analysis import remarks as remarks_of
from analysis.events import Log
from analysis.summary import cells, controls, varying
from analysis.trials import PERCENTILES


def page(log: Log, trials: pd.DataFrame, missing: list[str], given: str) -> list[str]:
    """The lines of one run's summary, fit for a terminal."""
    rows = cells(trials)
    factors = varying(trials)
    lines = [*headline(log, trials, factors), ""]
    body, legend = grid(rows, factors)
    lines += [*body, ""]
    remarks = aa_lines(trials, factors)
    remarks += [
        f"{label(row, factors)}: {text}" for row in rows.to_dict("records") if (text := notes.of_errors(_plain(row)))
    ]
    remarks += remarks_of.of_ramps(log, trials, lambda row: label(row.to_dict(), factors))
    other = [name for name in factors if name != "rate"]
    remarks += capacity.knees(log, trials, rows, lambda row: label(row.to_dict(), other))
    remarks += [
        *remarks_of.of_calibration(log),
        *log.notes,
        *missing,
        *notes.of_end(log, trials),
        *notes.of_trials(log, trials),
    ]
    remarks = [f"- {text}" for text in remarks]
    for text in (*remarks, *([" · ".join(legend)] if legend else []), notes.of_next(log, trials, given)):
        indent = "  " if text.startswith("- ") else ""
        lines += textwrap.wrap(show.visible(text), show.WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    return lines


def _plain(row: dict[Any, Any]) -> dict[str, object]:
    return {str(key): value for key, value in row.items()}


def headline(log: Log, trials: pd.DataFrame, factors: list[str]) -> list[str]:
    """The run, and the factors that are the same in all its trials."""
    first = _plain(trials.to_dict("records")[0])
    parts = [f"{first['workload']} load"] if "workload" not in factors else []
    noun = "in flight" if first["workload"] == "churn" else "connections"
    texts = {
        "connections": f"{{:,}} {noun}", "active": "{:,} active", "rate": "{:,} requests/s offered",
        "requests": "{:,} requests", "payload_bytes": "{:,} bytes", "pipeline": "pipeline {:,}",
        "think_time": "{:g} s think time", "steps": "{:,} steps", "ports": "{:,} ports",
        "warmup": "{:,} s warm-up", "duration": "{:,} s window",
        "hostile": "hostile clients {}", "generator": "generator {}",
    }  # fmt: skip
    unsaid = {"active"} if first["active"] == first["connections"] else set()
    usual = {"pipeline": 1, "ports": 1, "think_time": 0, "generator": "go"}
    unsaid |= {name for name, value in usual.items() if first[name] == value}
    unsaid |= {"rate"} if first["workload"] in ("churn", "closed") else set()
    unsaid |= {"steps"} if first["workload"] != "ramp" else set()
    unsaid |= {"warmup", "duration"} if first["requests"] else set()
    for name, text in texts.items():
        value = first[name]
        if name not in (*factors, *unsaid) and isinstance(value, (int, float, str)) and not isinstance(value, bool):
            parts.append(text.format(value))
    if isinstance(first["command"], str) and "command" not in factors:
        parts.append(f"server: {first['command']}")
    clients = len(log.clients)
    parts += [f"{clients} client{'s' if clients != 1 else ''}", f"{len(trials)} trial{'s' if len(trials) != 1 else ''}"]
    lines = [f"run {log.run}", *textwrap.wrap(" · ".join(parts), show.WIDTH)]
    return [show.visible(line) for line in lines]


def label(row: dict[Any, Any], factors: list[str]) -> str:
    """A row's strategy with the factors that set it apart."""
    return " ".join([str(row["strategy"]), *(f"{name}={factor(row[name])}" for name in factors)])


def factor(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return show.NOTHING if value is None else value if isinstance(value, str) else json.dumps(value)


def grid(rows: pd.DataFrame, factors: list[str]) -> tuple[list[str], list[str]]:
    """The table, each cell's median over its least–most where repetitions differ; and the legend it needs."""
    records = [_plain(row) for row in rows.to_dict("records")]
    texts: list[dict[str, str]] = []
    for row in records:
        top, below = lines_of(row, factors)
        texts.append(top)
        if any(below.values()):
            texts.append(below)
    columns = [
        show.Column(
            heading, [show.visible(text.get(name, "")) for text in texts], name in ("strategy", "outcome"), drop
        )
        for name, (heading, drop) in headings(records, factors).items()
    ]
    kept, dropped = show.fit(columns)
    left_out = ", ".join(column.heading.replace("\n", " ").removeprefix("= ") for column in dropped)
    shown = [text for row in texts for text in row.values()]
    legend = {
        "~: fewer than 100 requests lie beyond this percentile": any(text.startswith("~") for text in shown),
        f"{show.NOTHING}: not measured, or too little to say": show.NOTHING in shown,
        "each figure: the median of the repetitions, over their least–most": len(texts) > len(records),
        "RSS: growth of the server's memory": any("RSS" in column.heading for column in kept),
        f"for want of width only in --csv: {left_out}": bool(dropped),
    }
    return show.table(kept), [text for text, is_needed in legend.items() if is_needed]


def headings(records: list[dict[str, Any]], factors: list[str]) -> dict[str, tuple[str, int]]:
    """The columns in their order: heading, and how early it gives way where the table is too wide."""
    asked = {row["asked"] for row in records}
    is_churn = all(row["workload"] == "churn" for row in records)
    held = "in flight" if is_churn else "held" if len(asked) > 1 else f"held\nof {asked.pop():,}"
    return {
        "strategy": ("strategy", 0), **{name: (name.replace("_", "\n"), 0) for name in factors}, "held": (held, 0),
        "requests_per_s": ("requests/s", 0), "p50": ("response\np50", 2), "p99": ("response\np99", 0),
        "p99_9": ("response\np99.9", 1), "errors": ("errors", 0), "cpu": ("CPU µs\n/request", 0),
        "split": ("= user\n+ system", 4), **({} if is_churn else {"rss": ("RSS bytes\n/connection", 3)}),
        "outcome": ("outcome", 0),
    }  # fmt: skip


def lines_of(row: dict[str, Any], factors: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of one cell by column: its medians, and under them least–most in the same unit."""

    def half(name: str) -> float:
        distance = float(row[f"{name}_max"] - row[f"{name}_min"]) / 2
        return distance if math.isfinite(distance) else 0.0

    def ends(name: str, size: float = 1.0, digits: int = 3) -> str:
        return show.span(float(row[f"{name}_min"]), float(row[f"{name}_max"]), size, digits)

    rps, cost, rss = "requests_per_s", "cpu_us_per_request", "rss_bytes_per_connection"
    outcome, *more = str(row["outcome"]).split(", ")
    held = f"{row['asked']:,} in flight" if row["workload"] == "churn" else show.count(row["held"])
    parts = [show.number(row[f"cpu_{kind}_us_per_request"], half(cost)) for kind in ("user", "system")]
    top = {
        "strategy": str(row["strategy"]), **{name: factor(row[name]) for name in factors}, "held": held,
        "requests_per_s": show.number(row[rps], half(rps), most=4), "errors": show.count(row["errors"]),
        "cpu": show.number(row[cost], half(cost)), "rss": show.number(row[rss], half(rss)),
        "split": show.NOTHING if show.NOTHING in parts else " + ".join(parts),
        "outcome": f"{outcome}," if more else outcome,
    }  # fmt: skip
    below = {
        "held": ends("held", digits=9), "requests_per_s": ends(rps, digits=4), "cpu": ends(cost), "rss": ends(rss),
        "outcome": ", ".join(more),
    }  # fmt: skip
    for name in PERCENTILES:
        value = float(row[f"{name}_ns"])
        few = not math.isnan(value) and row[f"{name}_tail"] < histograms.MARKED_BELOW
        top[name] = ("~" if few else "") + show.time(value, half(f"{name}_ns"))
        finite = value if math.isfinite(value) else float(row[f"{name}_ns_min"])
        size, unit = show.unit_of(finite) if math.isfinite(finite) else (1.0, "")
        # Under a `> timeout` the unit has nowhere else to stand.
        below[name] = ends(f"{name}_ns", size) + (f" {unit}" if math.isinf(value) and math.isfinite(finite) else "")
    return top, below


def aa_lines(trials: pd.DataFrame, factors: list[str]) -> list[str]:
    """One line per A/A control."""
    lines = []
    for row in controls(trials).to_dict("records"):
        against = f"A/A control: {label(row, factors)} against itself"
        if not row["pairs"]:
            lines.append(f"{against}: no block has both of the pair yet")
            continue
        spread = f" ({row['ratio_min']:.2f}–{row['ratio_max']:.2f})" if row["pairs"] > 1 else ""
        lines.append(f"{against} {row['ratio']:.2f}{spread} in CPU per request: smaller differences are noise")
    return lines
