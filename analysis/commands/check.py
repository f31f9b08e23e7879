"""Say what makes a figure doubtful, the worst first: what, where, on which evidence, why it matters, how to mend it.

Exits: 0; 1 --strict found a warning or something left out; 2 unreadable; 3 a cell is invalid.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.cells import by_key, standing
from analysis.checks.base import CHECKS
from analysis.checks.explain import explain
from analysis.dataset import load
from analysis.findings import SEVERITIES, Finding, Labels, concerned, parsed
from analysis.model import Dataset
from analysis.unreadable import Unreadable

MARGIN = " " * 9
MOST_NAMED = 12


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", nargs="*", metavar="RESULTS", help="a run's directory, such as results/latest, or an events.jsonl"
    )
    parser.add_argument("--json", action="store_true", help="for a program: findings, clean cells, what was left out")
    parser.add_argument("--explain", action="store_true", help="print what each finding means, as docs/findings.md")
    parser.add_argument("--strict", action="store_true", help="exit 1 if there is a warning or something was left out")


def run(options: argparse.Namespace) -> int:
    if options.explain:
        print(explain(), end="")
        return 0
    if not options.results:
        raise Unreadable("check needs a run: give its directory, such as results/latest.")
    data = load(options.results)
    print(machine(data) if options.json else "\n".join(page(data)))
    for note in data.notes:
        print(f"analysis: {show.visible(note)}", file=sys.stderr)
    return status(data, options.strict)


def status(data: Dataset, strict: bool) -> int:
    found = parsed(data.findings)
    if any(one.is_invalid and one.cells for one in found):
        return 3
    return int(strict and bool(data.notes or any(one.severity != "info" for one in found)))


def machine(data: Dataset) -> str:
    findings = [asdict(one) for one in parsed(data.findings)]
    cells = clean_cells(data)[["run", "cell", "label"]].to_dict("records")
    return json.dumps({"findings": findings, "clean": cells, "left_out": list(data.notes)}, indent=1)


def page(data: Dataset) -> list[str]:
    """The lines of the terminal."""
    lines = []
    for run_, path in data.runs.drop_duplicates("run")[["run", "path"]].itertuples(index=False):
        found = data.findings[data.findings["run"] == run_]
        counts = [f"{(found['severity'] == name).sum()} {name}" for name in SEVERITIES]
        lines += [show.visible(f"Run {run_} ({path}): {', '.join(counts) if len(found) else 'no findings'}"), ""]
    names = by_key(data.cells)
    for one in parsed(data.findings):
        lines += [*_finding(one, names, len(data.runs) > 1), ""]
    clean = [show.visible(label) for label in clean_cells(data)["label"]]
    lines += _wrapped(f"Cells that no finding doubts ({len(clean)} of {len(names)}): {'; '.join(clean) or 'none'}.", "")
    return lines


def clean_cells(data: Dataset) -> pd.DataFrame:
    """The cells that count and that neither `invalid` nor `warn` names; of a warned run none."""
    doubtful: set[tuple[str, str | None]] = set()
    for one in parsed(data.findings):
        if one.severity != "info":
            doubtful |= {(one.run, cell) for cell in (*one.cells, *concerned(one, data.trials)) or (None,)}
    cells = standing(data.cells)
    is_clean = [
        not {(run_, cell), (run_, None)} & doubtful for run_, cell in zip(cells["run"], cells["cell"], strict=True)
    ]
    return cells[pd.Series(is_clean, index=cells.index, dtype=bool)]


def _finding(one: Finding, names: Labels, with_run: bool) -> list[str]:
    lines = [show.visible(f"{one.severity:<9}{one.check:<5} {CHECKS[one.check].title}")]
    where = one.where(names, most=MOST_NAMED)
    where = f"struck: {where}" if one.is_invalid and one.cells else where
    parts = {
        "what": one.message, "where": f"run {one.run} · {where}".removesuffix(" · ") if with_run else where,
        "evidence": _evidence(one.evidence), "matters": one.matters, "remedy": one.remedy,
    }  # fmt: skip
    for name, text in parts.items():
        if text:
            lines += _wrapped(show.visible(text), name)
    return lines


def _wrapped(text: str, name: str) -> list[str]:
    first = f"{MARGIN}{name:<10}" if name else ""
    return textwrap.wrap(
        text, show.WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False
    )


def _evidence(rows: Sequence[Mapping[str, Any]]) -> str:
    """The figures of the worst place; what is a sentence there stands in the message."""
    told = []
    for name, value in (rows[0] if rows else {}).items():
        nested = value if isinstance(value, dict) else {name: value}
        told += [_figure(str(key), one) for key, one in nested.items() if isinstance(one, int | float)]
    return ", ".join(told)


def _figure(name: str, value: float) -> str:
    if name.endswith("_ns"):
        return f"{name.removesuffix('_ns').replace('_', ' ')} {show.time(float(value))}"
    return f"{name.replace('_', ' ')} {show.number(value) if isinstance(value, float) else show.count(value)}"
