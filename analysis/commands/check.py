"""Say what makes a figure doubtful, the worst first: what, where, on which evidence, why it matters, how to mend it.

Exits: 0; 1 --strict found a warning or something left out; 2 unreadable; 3 a cell is invalid.
"""

import argparse
import json
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import format as show
from analysis.cells import cell_table
from analysis.checks.base import SEVERITIES
from analysis.checks.explain import explain
from analysis.checks.registry import CHECKS
from analysis.dataset import load
from analysis.events import Unreadable
from analysis.model import Dataset

NAME = "check"
MARGIN = " " * 9
MOST_NAMED = 12
JSON_COLUMNS = ("cells", "trials", "hosts", "evidence")

Row = Mapping[Any, Any]


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
    severities = set(data.findings["severity"])
    if any(json.loads(cells) for cells in data.findings.loc[data.findings["severity"] == "invalid", "cells"]):
        return 3
    return int(strict and bool(data.notes or severities & {"invalid", "warn"}))


def machine(data: Dataset) -> str:
    findings = [
        {
            name: None if pd.isna(value) else json.loads(value) if name in JSON_COLUMNS else value
            for name, value in row.items()
        }
        for row in data.findings.to_dict("records")
    ]
    cells = [{name: row[name] for name in ("run", "cell", "label")} for row in clean_cells(data).to_dict("records")]
    return json.dumps({"findings": findings, "clean": cells, "left_out": list(data.notes)}, indent=1)


def page(data: Dataset) -> list[str]:
    """The lines of the terminal."""
    lines = []
    for run_ in data.runs.drop_duplicates("run").to_dict("records"):
        found = data.findings[data.findings["run"] == run_["run"]]
        counts = [f"{(found['severity'] == name).sum()} {name}" for name in SEVERITIES]
        summary = ", ".join(counts) if len(found) else "no findings"
        lines += [show.visible(f"Run {run_['run']} ({run_['path']}): {summary}"), ""]
    names = _labels(data)
    for row in data.findings.to_dict("records"):
        lines += [*_finding(row, names, len(data.runs) > 1), ""]
    clean = [show.visible(label) for label in clean_cells(data)["label"]]
    lines += _wrapped(f"Cells that no finding doubts ({len(clean)} of {len(names)}): {'; '.join(clean) or 'none'}.", "")
    return lines


def clean_cells(data: Dataset) -> pd.DataFrame:
    """The cells that count and that neither `invalid` nor `warn` names; of a warned run none."""
    cells = cell_table(data)
    if cells.empty:
        return pd.DataFrame(columns=["run", "cell", "label"])
    doubtful: set[tuple[str, str | None]] = set()
    for row in data.findings[data.findings["severity"] != "info"].to_dict("records"):
        named: list[str | None] = [*json.loads(row["cells"]), *_cells_of_trials(data, row)]
        doubtful |= {(row["run"], cell) for cell in named or [None]}
    is_clean = [
        (run_, cell) not in doubtful and (run_, None) not in doubtful
        for run_, cell in zip(cells["run"], cells["cell"], strict=True)
    ]
    return cells[pd.Series(is_clean, index=cells.index) & ~cells["struck"].astype(bool)]


def _cells_of_trials(data: Dataset, row: Row) -> list[str]:
    is_one = (data.trials["run"] == row["run"]) & data.trials["trial"].isin(json.loads(row["trials"]))
    return list(dict.fromkeys(map(str, data.trials.loc[is_one.to_numpy(dtype=bool, na_value=False), "cell"])))


def _labels(data: Dataset) -> dict[tuple[str, str], str]:
    cells = cell_table(data)
    return {(row["run"], row["cell"]): row["label"] for row in cells.to_dict("records")}


def _finding(row: Row, names: Mapping[tuple[str, str], str], with_run: bool) -> list[str]:
    check = CHECKS.get(row["check"])
    title = check.title if check else "A finding of the conductor"
    lines = [show.visible(f"{row['severity']:<9}{row['check']:<5} {title}")]
    parts = {
        "what": row["message"], "where": _where(row, names, with_run),
        "evidence": _evidence(json.loads(row["evidence"])), "matters": row["matters"], "remedy": row["remedy"],
    }  # fmt: skip
    for name, text in parts.items():
        if not pd.isna(text) and text:
            lines += _wrapped(show.visible(str(text)), name)
    return lines


def _wrapped(text: str, name: str) -> list[str]:
    first = f"{MARGIN}{name:<10}" if name else ""
    return textwrap.wrap(
        text, show.WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False
    )


def _where(row: Row, names: Mapping[tuple[str, str], str], with_run: bool) -> str:
    cells = [names.get((row["run"], cell), cell) for cell in json.loads(row["cells"])]
    trials = [str(number) for number in json.loads(row["trials"])]
    struck = "struck: " if row["severity"] == "invalid" and cells else ""
    parts = [
        f"run {row['run']}" if with_run else "",
        struck + _some(cells) if cells else "",
        f"trial {_some(trials).replace(';', ',')}" if trials else "",
        _some(json.loads(row["hosts"])),
    ]
    return " · ".join(part for part in parts if part)


def _some(names: list[str]) -> str:
    rest = len(names) - MOST_NAMED
    return "; ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _evidence(rows: list[dict[str, Any]]) -> str:
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
