"""The figures of the cells and what they come to against their baseline, as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.answers.shown import spread_of, with_unit
from analysis.cells import by_key
from analysis.compare.text import code, escape, factor, markdown_table
from analysis.model import Dataset

ESTIMATES = ("cell", "metric", "value", "95 % interval", "repetitions", "quality")
CONTRASTS = ("cell", "baseline", "metric", "cell ÷ baseline", "interval of all", "p (Holm)", "blocks", "verdict")


def text(dataset: Dataset) -> str:
    """Both tables, run by run; nothing of what a file says becomes markup."""
    names = by_key(dataset.cells)
    parts = []
    for run in dataset.runs["run"].drop_duplicates():
        estimates, contrasts = (_of_run(table, run) for table in (dataset.estimates, dataset.contrasts))
        parts += [f"## Run {code(str(run))}", "### Estimates"]
        parts.append(markdown_table(ESTIMATES, [_estimate(row, names) for row in estimates]))
        if contrasts:
            parts += ["### Contrasts", markdown_table(CONTRASTS, [_contrast(row, names) for row in contrasts])]
    if dataset.notes:
        parts += ["## Left out", "\n".join(f"- {code(note)}" for note in dataset.notes)]
    return "\n\n".join(parts) + "\n"


def _of_run(frame: pd.DataFrame, run: str) -> list[dict[Any, Any]]:
    return frame[frame["run"] == run].to_dict("records")


def _estimate(row: Mapping[Any, Any], names: Mapping[tuple[str, str], str]) -> list[str]:
    label = names.get((row["run"], row["cell"]), row["cell"])
    spread = spread_of(float(row["low"]), float(row["high"]))
    low, value, high = (with_unit(str(row["metric"]), row[name], spread) for name in ("low", "value", "high"))
    interval = show.NOTHING if show.NOTHING in (low, high) else f"{low} to {high}"
    return [code(label), *map(escape, (row["metric"], value, interval)), str(row["n"]), str(row["quality"])]


def _contrast(row: Mapping[Any, Any], names: Mapping[tuple[str, str], str]) -> list[str]:
    cell, baseline = (names.get((row["run"], row[name]), row[name]) for name in ("cell", "baseline"))
    again = " (A/A control)" if row["control"] is True else ""
    parts = [
        code(cell) + again,
        code(baseline) if isinstance(baseline, str) else show.NOTHING,
        escape(str(row["metric"])),
    ]
    if pd.isna(row["ratio"]):
        why = f": {code(row['why'])}" if isinstance(row["why"], str) else ""
        return [*parts, *4 * [show.NOTHING], f"{row['verdict']}{why}"]
    interval = show.NOTHING
    if not pd.isna(row["family_low"]) and not pd.isna(row["family_high"]):
        interval = f"{factor(row['family_low'])} to {factor(row['family_high'])}"
    p = show.NOTHING if pd.isna(row["p_holm"]) else f"{row['p_holm']:.2g}"
    return [*parts, escape(factor(row["ratio"])), escape(interval), p, str(row["n"]), str(row["verdict"])]
