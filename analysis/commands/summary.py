"""Show one table per run: connections held, throughput, latency, server CPU and memory, and what went wrong.

It needs no more than events.jsonl, so it works for a run whose controller died.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.dataset import load, runs_of
from analysis.format import visible
from analysis.model import Dataset
from analysis.spreadsheet import csv_text
from analysis.terminal import columns, page, report_line
from analysis.unreadable import Unreadable, writing


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", nargs="+", metavar="RESULTS", help="a run's directory, such as results/latest, or an events.jsonl"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="PATH", help="also write one row per trial, in the columns of the table `trials`"
    )
    parser.add_argument("--report", action="store_true", help="also write the report of each run, as `report` does")


def run(options: argparse.Namespace) -> int:
    tables: list[pd.DataFrame] = []
    status = 0
    for given in runs_of(options.results):
        try:
            dataset = load([given])
        except Unreadable as problem:
            # The other runs are still worth their tables.
            print(f"analysis: {visible(str(problem))}", file=sys.stderr)
            status = 2
            continue
        if tables:
            print()
        told = page(dataset, given, columns())
        print("\n".join(told), flush=True)
        tables.append(dataset.trials)
        if options.report:
            status = max(status, write_report(dataset, given, told))
    if options.csv and tables:
        write_csv(pd.concat(tables, ignore_index=True), options.csv)
    return status


def write_report(dataset: Dataset, given: str, told: Sequence[str]) -> int:
    """The status: a report that cannot be written is no reason to leave the other runs out. `told`: the page, which
    ends with the place of a report that was there before."""
    from analysis.commands import report  # which takes a second to import

    path = report.place(given) / "report.html"
    try:
        report.make(dataset, path, path.parent)
    except Unreadable as problem:
        print(f"analysis: {visible(str(problem))}", file=sys.stderr)
        return 2
    if told[-1:] != [line := report_line(path)]:
        print(line)
    return 0


def write_csv(trials: pd.DataFrame, path: Path) -> None:
    """One row per trial; a percentile among the missing is `inf`, what was not measured is empty."""
    with writing(path):
        path.write_text(csv_text(trials), encoding="utf-8")
