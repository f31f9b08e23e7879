"""Read a run's logs into tidy Parquet tables: `dataset/` in its directory.

What cannot be read is an error; with --lenient it is left out, and listed.
"""

import argparse
import sys
from pathlib import Path

from analysis import store
from analysis.dataset import derive, runs_of
from analysis.format import count, visible
from analysis.ingest.run import ingest
from analysis.unreadable import Unreadable


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="a run's directory, or one that holds several")
    parser.add_argument("--lenient", action="store_true", help="leave out what cannot be read, and list it")


def run(options: argparse.Namespace) -> int:
    status = 0
    for given in runs_of(options.results):
        try:
            one(Path(given), is_lenient=options.lenient)
        except Unreadable as problem:
            # The other runs are still worth their tables.
            print(f"analysis: {visible(str(problem))}", file=sys.stderr)
            status = 2
    return status


def one(path: Path, *, is_lenient: bool) -> None:
    """One run. Unreadable where something had to be left out and may not be."""
    raw = ingest(str(path))
    bad = [
        f"{path}/{row['path']} is {row['state']}: {row['detail']}."
        for row in raw.files.to_dict("records")
        if row["state"] != "whole"
    ]
    skipped = [*raw.notes, *bad]
    if skipped and not is_lenient:
        more = f" ({len(skipped) - 1} more such)" if len(skipped) > 1 else ""
        raise Unreadable(
            f"{skipped[0]}{more} Nothing was written; --lenient leaves out what cannot be read, and lists it."
        )
    directory = path if path.is_dir() else path.parent
    try:
        data = derive(raw)
        folder = store.write(data, directory)
    except OSError as error:
        raise Unreadable(f"{directory} cannot be written to: {error.strerror or error}.") from error
    rows = sum(map(len, data.tables.values()))
    print(f"{visible(str(folder))}: {count(len(raw.trials))} trials, {count(rows)} rows in {len(data.tables)} tables")
    for note in skipped:
        print(f"- {visible(note)}")
