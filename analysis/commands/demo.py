"""Make a synthetic run whose truth is known, and its report: what it looks like, without any host.

epoll and epoll_edge are the same in it, workers costs a tenth more, poll three times as much, and select stops at
1,018.
"""

import argparse
from pathlib import Path

from analysis.commands import report
from analysis.dataset import load
from analysis.demo.truth import FAULTS
from analysis.demo.write import write
from analysis.format import visible
from analysis.unreadable import Unreadable, writing


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("results/demo"), metavar="DIRECTORY", help="default: results/demo"
    )
    parser.add_argument("--fault", choices=FAULTS, help="plant a fault, and see which finding it raises")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same run")


def run(options: argparse.Namespace) -> int:
    if options.output.exists() and not (options.output / "events.jsonl").exists() and any(options.output.iterdir()):
        raise Unreadable(f"{options.output} holds something that is no run: give another directory with -o.")
    with writing(options.output):
        write(options.output, options.fault, options.seed)
    path = options.output / "report.html"
    report.make(load([str(options.output)]), path, None)
    print(f"report: {visible(str(path))}")
    return 0
