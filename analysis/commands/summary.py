"""Show one table per run: connections held, throughput, latency, server CPU and memory, and what went wrong.

It needs no more than events.jsonl, so it works for a run whose controller died.
"""

import argparse
import shutil
import sys
from pathlib import Path

import pandas as pd

from analysis.dataset import load, runs_of
from analysis.format import visible
from analysis.spreadsheet import csv_text
from analysis.terminal import WIDTH, page
from analysis.unreadable import Unreadable, writing

WHOLE = ("_requests", "_replies", "_connections")  # ends of the columns that hold whole numbers, if any


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", nargs="+", metavar="RESULTS", help="a run's directory, such as results/latest, or an events.jsonl"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="PATH", help="also write one row per trial, in the columns of the table `trials`"
    )


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
        print("\n".join(page(dataset, given, width())))
        tables.append(dataset.trials)
    if options.csv and tables:
        write_csv(pd.concat(tables, ignore_index=True), options.csv)
    return status


def width() -> int:
    """Columns of the terminal that reads this; of a file or a pipe the usual ones."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH


def write_csv(trials: pd.DataFrame, path: Path) -> None:
    """One row per trial; a percentile among the missing is `inf`, what was not measured is empty."""
    counts = [name for name in trials.columns if name.endswith(WHOLE) and not name.endswith("_tail_requests")]
    with writing(path):
        path.write_text(csv_text(trials.astype(dict.fromkeys(counts, "Int64"))), encoding="utf-8")
