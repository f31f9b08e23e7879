"""Write one chart: SVG, PNG or PDF to print, Vega-Lite JSON to change, CSV of its numbers."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.charts import registry, theme
from analysis.charts.registry import Chart
from analysis.dataset import load
from analysis.format import visible
from analysis.spreadsheet import csv_text
from analysis.unreadable import Unreadable, writing

DRAWN: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "svg": lambda document: theme.svg(document).encode(), "png": theme.png, "pdf": theme.pdf,
    "json": lambda document: json.dumps(document, indent=1, sort_keys=True).encode(),
}  # fmt: skip


def setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="a run's directory")
    parser.add_argument("--figure", metavar="NAME", help="which chart; --list names them")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help="its ending says what: svg, png, pdf, json, csv; default: NAME.svg",
    )  # fmt: skip
    parser.add_argument("--dark", action="store_true", help="for a dark page")
    parser.add_argument("--baseline", metavar="STRATEGY", help="as in report")
    parser.add_argument("--list", action="store_true", help="list the charts for which the run has data")


def run(options: argparse.Namespace) -> int:
    charts = {chart.name: chart for chart in registry.make_all(load(options.results, baseline=options.baseline))}
    if options.list or not options.figure:
        for chart in charts.values():
            print(f"{chart.name:<12} {visible(chart.title)}")
        return 0
    if options.figure not in charts:
        raise Unreadable(f"there is no data for a chart {options.figure} here; there is {', '.join(charts)}.")
    path = options.output or Path(f"{options.figure}.svg")
    data = drawn(charts[options.figure], path.suffix.removeprefix("."), dark=options.dark)
    with writing(path):
        path.write_bytes(data)
    return 0


def drawn(chart: Chart, ending: str, *, dark: bool) -> bytes:
    """The chart in the format of a file's ending."""
    if ending == "csv":
        return csv_text(chart.frame).encode()
    if ending not in DRAWN:
        raise Unreadable(
            f"a chart is written as svg, png, pdf, json or csv, not as {ending or 'nothing'}: end the file's name so."
        )
    if chart.drawing is None:
        raise Unreadable(f"{chart.name} is a table: write it as csv.")
    return DRAWN[ending](theme.spec(chart.drawing, dark))
