"""Write one chart: SVG, PNG or PDF to print, Vega-Lite JSON to change, CSV of its numbers."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.answers import series
from analysis.charts import registry, theme
from analysis.charts.registry import Chart
from analysis.dataset import load, runs_of
from analysis.format import visible
from analysis.spreadsheet import csv_text
from analysis.unreadable import Unreadable, writing

DRAWN: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "svg": lambda document: theme.svg(document).encode(), "png": theme.png, "pdf": theme.pdf,
    "json": lambda document: json.dumps(document, indent=1, sort_keys=True).encode(),
}  # fmt: skip
SLIDES = ("svg", "png", "pdf")  # stand alone, on any ground: with their title, and on their own


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="a run's directory")
    parser.add_argument(
        "--figure", metavar="NAME", help="which chart; without it those that the run has data for are named"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help="its ending says what: svg, png, pdf, json, csv; default: export/NAME.svg in the (first) run's directory",
    )  # fmt: skip
    parser.add_argument("--dark", action="store_true", help="for a dark page")
    parser.add_argument("--baseline", metavar="STRATEGY", help="as in report")
    parser.add_argument("--list", action="store_true", help="list the charts for which the run has data")


def run(options: argparse.Namespace) -> int:
    check(options.figure, options.output, is_list=options.list)
    dataset = load(options.results, baseline=options.baseline)
    charts = {chart.name: chart for chart in registry.make_all(dataset)}
    if options.list or not options.figure:
        for chart in charts.values():
            print(f"{chart.name:<12} {visible(chart.title)}")
        return 0
    if options.figure not in charts:
        raise Unreadable(f"there is no data for a chart {options.figure} here; there is {', '.join(charts)}.")
    path = options.output or place(options.results) / f"{options.figure}.svg"
    data = drawn(charts[options.figure], ending(path), dark=options.dark, missing=series.left_out(dataset))
    with writing(path, "" if options.output else " Give another place with -o."):
        if not options.output:
            path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    print(f"{visible(options.figure)}: {visible(str(path))}")
    return 0


def check(figure: str | None, output: Path | None, *, is_list: bool) -> None:
    """What can be told to be wrong before a run is read, which takes seconds."""
    known = [module.NAME for module in registry.CHARTS]
    if output and not figure and not is_list:
        raise Unreadable(f"plot writes one chart: say which with --figure NAME, of {', '.join(known)}.")
    if figure is not None and figure not in known:
        raise Unreadable(f"there is no chart {figure}; there is {', '.join(known)}.")
    if output:
        ending(output)


def place(results: list[str]) -> Path:
    """Where a picture goes that has no other place: in a checkout it would make the next runs' commit one with
    changes."""
    first = Path(runs_of(results)[0])
    return (first if first.is_dir() else first.parent) / "export"


def ending(path: Path) -> str:
    """The format that a file's name asks for."""
    found = path.suffix.removeprefix(".")
    if found not in (*DRAWN, "csv"):
        raise Unreadable(
            f"a chart is written as svg, png, pdf, json or csv, not as {found or 'nothing'}: end the file's name so."
        )
    return found


def drawn(chart: Chart, ending: str, *, dark: bool, missing: pd.DataFrame) -> bytes:
    """The chart in that format. `missing`: the cells that are not drawn, from series.left_out."""
    if ending == "csv":
        return csv_text(chart.frame).encode()
    if chart.drawing is None:
        raise Unreadable(f"{chart.name} is a table: write it as csv.")
    document = theme.spec(chart.drawing, dark)
    if ending in SLIDES:
        is_drawn = chart.frame["kind"].ne("left out") if "kind" in chart.frame else slice(None)
        named = series.left_out_sentence(missing[~missing["label"].isin(chart.frame.loc[is_drawn, "label"])], 99)
        caption = chart.caption.replace(series.left_out_sentence(missing), "")  # of many it says only how many
        document = theme.slide(document, chart.title, [caption, named], dark)
    return DRAWN[ending](document)
