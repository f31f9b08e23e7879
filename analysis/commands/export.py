"""Write the tables of a run for other tools: CSV, Parquet, JSON, Markdown or HdrHistogram's .hgrm."""

import argparse
from pathlib import Path

from analysis.dataset import load, runs_of
from analysis.export import files, hgrm, markdown, schema
from analysis.format import visible
from analysis.model import TABLES
from analysis.unreadable import Unreadable, writing

FORMATS = (*files.WRITERS, "md", "hgrm")


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="*", metavar="RESULTS", help="a run's directory, or several as one dataset")
    parser.add_argument(
        "--format", choices=FORMATS, default="csv",
        help="csv (default), parquet, json: a file for each table; md: estimates and contrasts; "
        "hgrm: percentiles of each trial, in ms",
    )  # fmt: skip
    parser.add_argument(
        "--table", action="append", metavar="NAME", help="only this one; again for more. docs/dataset.md names them"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PATH",
        help="directory (default: export/ in the first run's), or the file of md (default: it is printed)",
    )  # fmt: skip
    parser.add_argument(
        "--baseline", metavar="STRATEGY", help="compare with this one; default: the one with the A/A control"
    )
    parser.add_argument(
        "--schema", choices=("md", "json"), help="print what the tables hold, as docs/dataset.md or as JSON Schema"
    )


def run(options: argparse.Namespace) -> int:
    if options.schema:
        print(schema.page() if options.schema == "md" else schema.json_schema(), end="")
        return 0
    if not options.results:
        raise Unreadable("export needs a run: give its directory, such as results/latest.")
    names = wanted(options.table, options.format)
    dataset = load(options.results, baseline=options.baseline)
    if options.format == "md" and options.output is None:
        print(markdown.text(dataset), end="")
        return 0
    first = Path(runs_of(options.results)[0])
    folder = options.output or (first if first.is_dir() else first.parent) / "export"
    with writing(folder, " Give another place with -o."):
        if options.format == "md":
            folder.write_text(markdown.text(dataset), encoding="utf-8")
        elif options.format == "hgrm":
            paths = hgrm.write_all(dataset, folder)
        else:
            paths = files.write_tables(dataset, names, options.format, folder)
    if options.format == "md":
        print(f"{visible(str(folder))}: estimates and contrasts")
        return 0
    print(f"{visible(str(folder))}: {len(paths)} .{options.format} files")
    for note in dataset.notes:
        print(f"- {visible(note)}")
    return 0


def wanted(given: list[str] | None, ending: str) -> list[str]:
    """The tables asked for; all where none is."""
    if given and ending not in files.WRITERS:
        raise Unreadable(f"--table is of csv, parquet and json; {ending} says by itself what it holds.")
    for name in given or ():
        if name not in TABLES:
            raise Unreadable(f"there is no table {name}; there is {', '.join(TABLES)}.")
    return list(dict.fromkeys(given or TABLES))
