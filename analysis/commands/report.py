"""Write the report: one HTML file with everything in it, to open, send or print.

Of a single run also its dataset: `dataset/` in its directory.
"""

import argparse
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from analysis import store
from analysis.dataset import load, runs_of
from analysis.format import visible
from analysis.report.build import html
from analysis.unreadable import writing


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
    first = Path(runs_of(options.results)[0])
    directory = first if first.is_dir() else first.parent
    if len(dataset.runs) == 1 and options.baseline is None:
        with suppress(OSError):  # for other tools; a run in a directory that is not ours has its report all the same
            store.write(dataset, directory)
    path = options.output or directory / "report.html"
    write(path, html(dataset))
    print(f"report: {visible(str(path))}")
    return 0


def write(path: Path, text: str) -> None:
    """The whole file or none. Unreadable, in one sentence, where it cannot be written."""
    with writing(path):
        descriptor, name = tempfile.mkstemp(prefix=".report-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
