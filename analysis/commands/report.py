"""Write the report: one HTML file with everything in it, to open, send or print.

Of a single run also its dataset: `dataset/` in its directory.
"""

import argparse
from contextlib import suppress
from pathlib import Path

from analysis import store
from analysis.dataset import load, runs_of
from analysis.format import visible
from analysis.model import Dataset
from analysis.report.build import html
from analysis.unreadable import writing
from analysis.whole import write_whole


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="a run's directory, or several to show together")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: report.html in the (first) run's directory"
    )
    parser.add_argument(
        "--baseline", metavar="STRATEGY", help="compare with this one; default: the one with the A/A control"
    )


def run(options: argparse.Namespace) -> int:
    dataset = load(options.results, baseline=options.baseline)
    first = place(runs_of(options.results)[0])
    path = options.output or first / "report.html"
    make(dataset, path, first if len(dataset.runs) == 1 and options.baseline is None else None)
    print(f"report: {visible(str(path))}")
    return 0


def place(given: str) -> Path:
    """The directory of a run that is named by it or by its log."""
    path = Path(given)
    return path if path.is_dir() else path.parent


def make(dataset: Dataset, path: Path, keep: Path | None) -> None:
    """The report, and the dataset in the directory `keep`."""
    if keep:
        with suppress(OSError):  # for other tools; a run in a directory that is not ours has its report all the same
            store.write(dataset, keep)
    with writing(path):
        write_whole(path, html(dataset))
