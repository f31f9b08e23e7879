"""Show one table per run: connections held, throughput, latency, server CPU and memory, and what went wrong.

It reads events.jsonl alone, so it works for a run whose controller died.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from analysis import format as show
from analysis.events import Unreadable, read
from analysis.page import page
from analysis.tables import COUNTS
from analysis.trials import PERCENTILES, trial_table

NAME = "summary"

UNITS = {
    "connect_rate": "connect_rate_per_s", "rate": "rate_per_s", "warmup": "warmup_s", "duration": "duration_s",
    "think_time": "think_time_s", "timeout": "timeout_s", "arm_timeout": "arm_timeout_s", "n": "trial",
    "asked": "asked_connections", "held": "held_connections",
    **{name: f"{name}_requests" for name in (*COUNTS, "errors")}, "surplus": "surplus_replies",
    **{f"{name}_ns": f"response_{name}_ns" for name in PERCENTILES},
    **{f"{name}_tail": f"response_{name}_tail_requests" for name in PERCENTILES},
}  # fmt: skip
WHOLE = ("n", "block", "asked", "held", *COUNTS, "errors", "surplus")


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", nargs="+", metavar="RESULTS", help="a run's directory, such as results/latest, or an events.jsonl"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="PATH", help="also write one row per trial, with units in the column names"
    )


def run(options: argparse.Namespace) -> int:
    tables: list[pd.DataFrame] = []
    status = 0
    for given in options.results:
        try:
            log = read(given)
        except Unreadable as problem:
            # The other runs are still worth their tables.
            print(f"analysis: {show.visible(str(problem))}", file=sys.stderr)
            status = 2
            continue
        trials, missing = trial_table(log)
        if tables:
            print()
        print("\n".join(page(log, trials, missing, given)))
        tables.append(trials)
    if options.csv and tables:
        write_csv(pd.concat(tables, ignore_index=True), options.csv)
    return status


def write_csv(trials: pd.DataFrame, path: Path) -> None:
    """One tidy row per trial; a percentile among the missing is `inf`, what was not measured is empty."""
    tidy = trials.copy()
    for name in WHOLE:
        tidy[name] = tidy[name].astype(float).astype("Int64")
    for name in ("run", "cell", "strategy", "command", "reason", "limit"):
        tidy[name] = tidy[name].map(lambda value: show.visible(value) if isinstance(value, str) else value)
    try:
        tidy.rename(columns=UNITS).to_csv(path, index=False)
    except OSError as error:
        raise Unreadable(f"{path} cannot be written: {error.strerror or error}.") from error
