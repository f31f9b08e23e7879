"""Say what changed between runs at two times, and fail a build that made it worse.

Exits: 0; 1 --fail-on found something worse; 2 unreadable; 3 no cell is on both sides, or --fail-on has nothing to judge
by.
"""

import argparse
import sys
from pathlib import Path

from analysis import format as show
from analysis.compare import judge, side, text
from analysis.metrics import METRICS
from analysis.unreadable import Unreadable, writing

FORMATS = ("text", "md", "json")


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="+", metavar="RUN",
        help="BASE and NEW, or several of BASE and --new: a run's directory, a baseline file (.json), or one of them "
        "as label=path; only several runs a side can decide",
    )  # fmt: skip
    parser.add_argument("--new", nargs="+", metavar="RUN", help="the runs to hold against all of BASE")
    parser.add_argument(
        "--save", type=Path, metavar="FILE",
        help="keep what is compared of one run in a small file (.json), as a base for later",
    )  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="text", help="md is for a pull request")
    parser.add_argument(
        "--metric", action="append", metavar="NAME",
        help=f"what to compare, more than once or parted by commas ({', '.join(METRICS)}); by default "
        f"{', '.join(judge.SHOWN)}",
    )  # fmt: skip
    parser.add_argument(
        "--fail-on", metavar="worse:SHARE",
        help="exit 1 where a figure is worse and its interval lies wholly beyond this share, such as worse:3%%; exit 3 "
        "where nothing can be told: one run a side, a side that is not finished, something that BASE has and NEW not",
    )  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write there instead of to the terminal")


def run(options: argparse.Namespace) -> int:
    asked = judge.limit(options.fail_on) if options.fail_on is not None else None
    metrics = text.metric_names(options.metric)
    if options.save:
        return save(options)
    if not options.new and len(options.runs) != 2:
        raise Unreadable(
            f"compare takes two runs, BASE and NEW, not {len(options.runs)}; several a side as BASE BASE --new NEW NEW."
        )
    base, new = (options.runs, options.new) if options.new else (options.runs[:1], options.runs[1:])
    found = judge.judge(side.side(base), side.side(new), metrics)
    status, verdict = judge.status(found, asked) if asked is not None else (0 if found.rows else 3, "")
    if options.format == "json":
        shown = text.machine(found, status, verdict)
    elif options.format == "md":
        shown = text.markdown(found, verdict)
    else:
        shown = text.terminal(found)
    if options.output:
        with writing(options.output):
            options.output.write_text(shown + "\n", encoding="utf-8")
    else:
        print(shown)
    if verdict:
        print(f"--fail-on {options.fail_on}: {show.visible(verdict)}", file=sys.stderr)
    return status


def save(options: argparse.Namespace) -> int:
    if len(options.runs) != 1 or options.new:
        raise Unreadable(f"compare --save FILE takes one run, not {len(options.runs)}.")
    if options.save.suffix != ".json":
        raise Unreadable(f"{options.save} would not be known as a baseline file again: its name must end in .json.")
    found = side.side(options.runs)
    with writing(options.save):
        options.save.write_text(side.baseline_text(found), encoding="utf-8")
    print(f"{options.save}: {text.kept(found)}")
    return 0
