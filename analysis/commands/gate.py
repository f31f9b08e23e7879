"""Fail a build where one run, that measured old and new side by side, shows that new is worse.

Exits: 0; 1 something is worse by more than the share; 2 unreadable; 3 what was asked cannot be judged, or with
--fail-on undecided such a difference is not excluded.
"""

import argparse
import math

from analysis import format as show
from analysis.compare import gate
from analysis.compare.judge import limit
from analysis.compare.side import unfinished
from analysis.compare.text import factor, metric_names
from analysis.dataset import load
from analysis.metrics import METRICS, PRIMARY
from analysis.model import Dataset
from analysis.statistics.power import POWER
from analysis.unreadable import Unreadable

UNDECIDED = "undecided"
HEADINGS = ("new", "old", "metric", "new ÷ old", "finds", "verdict")


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_path", metavar="RUN", help="the directory of a run with several servers or strategies")
    parser.add_argument(
        "--fail-on", action="append", required=True, metavar="worse:SHARE",
        help="such as worse:3%%: exit 1 where a figure is worse and its interval lies wholly beyond this share; give "
        "`undecided` too, for exit 3 where the run does not exclude that",
    )  # fmt: skip
    parser.add_argument(
        "--metric", action="append", metavar="NAME",
        help=f"what to judge by, more than once or parted by commas ({', '.join(METRICS)}); by default {PRIMARY}. Name "
        "them before the run: all of them share the risk of a false alarm",
    )  # fmt: skip
    parser.add_argument("--baseline", metavar="STRATEGY", help="what is old; by default the first of the plan")


def run(options: argparse.Namespace) -> int:
    limits = [limit(text) for text in options.fail_on if text != UNDECIDED]
    if len(limits) != 1:
        raise Unreadable("gate takes one --fail-on worse:SHARE, such as worse:3%, and --fail-on undecided beside it.")
    metrics = metric_names(options.metric) or [PRIMARY]
    dataset = load([options.run_path])
    rows = gate.rows_of(dataset, metrics, options.baseline)
    for line in [*of_run(dataset), *lines(rows)]:
        print(show.visible(line))
    status, why = gate.status(
        rows, limits[0], fails_undecided=UNDECIDED in options.fail_on, unfinished=unfinished(dataset)
    )
    print(f"\n{' '.join(f'--fail-on {text}' for text in options.fail_on)}: {show.visible(why)}")
    return status


def of_run(dataset: Dataset) -> list[str]:
    """Which run is judged: after a step that failed `results/latest` is still the one before."""
    own = dataset.runs.fillna({"started_utc": "at an unknown time"})
    return [f"run {row['run']}, begun {row['started_utc']}" for row in own.to_dict("records")]


def lines(rows: list[gate.Row]) -> list[str]:
    """A table, and what its last columns mean."""
    texts = [
        (row.label, row.baseline, row.metric.name, _ratio(row), show.NOTHING if row.why else show.difference(row.least),
         f"{row.verdict}: {row.why}" if row.why else row.verdict)
        for row in rows
    ]  # fmt: skip
    columns = [
        show.Column(heading, [show.visible(text) for text in column], left=heading not in HEADINGS[3:5])
        for heading, column in zip(HEADINGS, zip(*texts, strict=True), strict=True)
    ]
    note = (
        f"Intervals hold at 95 % for all {len(rows)} together. finds: the smallest difference that "
        f"{100 * POWER:.0f} % of such runs find."
    )
    note += " Old and new ran side by side." if rows[0].is_duet else ""
    return [*show.table(columns, width=160), note]


def _ratio(row: gate.Row) -> str:
    return show.NOTHING if math.isnan(row.ratio) else f"{factor(row.ratio)} [{factor(row.low)}, {factor(row.high)}]"
